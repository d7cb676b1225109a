from __future__ import annotations

import pytest

from pytest_aiperf.gpu_telemetry.visibility import Card, Slice, visible

CARDS = [
    Card(uuid="GPU-aa11"),
    Card(uuid="GPU-aa22"),
    Card(
        uuid="GPU-bb33",
        slices=[
            Slice(uuid="MIG-cc44", gpu_instance=1, compute_instance=0),
            Slice(uuid="MIG-cc55", gpu_instance=2, compute_instance=0),
        ],
    ),
    Card(uuid=None),
]
EVERYTHING = [(0, None), (1, None), (2, 0), (2, 1), (3, None)]


@pytest.mark.parametrize(
    ("listed", "places"),
    [
        (None, EVERYTHING),
        ("", []),
        ("0", [(0, None)]),
        ("1,0", [(1, None), (0, None)]),
        (" 1 , 0 ", [(1, None), (0, None)]),
        ("0,0,1", [(0, None), (1, None)]),
        ("0,-1,1", [(0, None)]),
        ("0,9,1", [(0, None)]),
        ("NoDevFiles", []),
        ("GPU-aa11", [(0, None)]),
        ("GPU-aa2,3", [(1, None), (3, None)]),
        ("GPU-aa", []),
        ("GPU-zz,0", []),
        ("2", [(2, 0), (2, 1)]),
        ("GPU-bb", [(2, 0), (2, 1)]),
        ("MIG-cc55", [(2, 1)]),
        ("MIG-cc", []),
        ("MIG-GPU-bb33/1/0", [(2, 0)]),
        ("MIG-GPU-bb33/3/0", []),
        ("0,MIG-cc44", [(0, None), (2, 0)]),
    ],
)
def test_the_variable_means_what_cuda_says(listed, places):
    assert list(visible(CARDS, listed).places) == places


def test_a_name_that_hides_gpus_is_explained_and_a_deliberate_end_is_not():
    assert "'GPU-zz'" in visible(CARDS, "0,GPU-zz,1").note
    assert visible(CARDS, "0,-1").note is None
    assert visible(CARDS, "").note == "CUDA_VISIBLE_DEVICES hides every GPU"
    assert visible(CARDS, None).note is None


def test_a_card_in_mig_mode_without_slices_shows_nothing():
    assert list(visible([Card(uuid="GPU-1", slices=[])], None).places) == []
