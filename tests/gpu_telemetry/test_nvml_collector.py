from __future__ import annotations

import dataclasses
import json
import sys
import time

import pytest
from fake_nvml import DATA, GPU_IS_LOST, NOT_SUPPORTED, UNKNOWN, FakeCard, hopper

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.gpu_telemetry.collector import GpuCollector, GpuProcess
from pytest_aiperf.gpu_telemetry.counter import counter_delta
from pytest_aiperf.gpu_telemetry.nvml import NvmlCollector
from pytest_aiperf.plugin import plugins


@pytest.fixture
def collector():
    made = []

    def make(visible=None):
        made.append(NvmlCollector({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_loaded_card_is_read_field_by_field_in_the_units_of_the_sample(install, collector):
    install(hopper())
    before = time.time_ns()
    (sample,) = collector().sample()
    assert before <= sample.stamp_ns <= time.time_ns()
    assert dataclasses.replace(sample, stamp_ns=0) == type(sample)(
        index=0,
        stamp_ns=0,
        power_w=690.0,
        energy_mj=5_006_900_000,
        utilisation_pct=100.0,
        memory_utilisation_pct=40.0,
        memory_used_bytes=80_000_000_000,
        sm_clock_mhz=1755,
        memory_clock_mhz=2619,
        temperature_c=62,
        throttle_reasons=("sw_power_cap",),
        pcie_tx_bytes=5_000_000,
        pcie_rx_bytes=9_000_000,
        ecc_corrected=0,
        ecc_uncorrected=0,
        xid_errors=(),
        processes=(GpuProcess(pid=4242, memory_bytes=79_000_000_000),),
    )


def test_the_identity_says_which_part_it_is_and_keeps_no_uuid(install, collector):
    install(card := hopper())
    gpus = collector()
    (gpu,) = gpus.inventory()
    assert (gpu.name, gpu.part_number, gpu.card) == ("NVIDIA H100 80GB HBM3", "692-00000-0000-000", 0)
    assert (gpu.power_limit_w, gpu.driver, gpu.cuda, gpu.mig_mode) == (700.0, "580.0.1", "13.0", False)
    assert gpu.memory_bytes == 85_520_809_984
    assert len(gpu.uuid_hash) == 16
    told = json.dumps([dataclasses.asdict(gpu), *map(dataclasses.asdict, gpus.sample()), *gpus.notes])
    assert card.uuid not in told
    assert card.uuid[4:12] not in told


def test_two_cards_of_one_part_have_different_hashes_and_one_card_always_the_same(install, collector):
    install(hopper(0), hopper(1))
    first, again = collector().inventory(), collector().inventory()
    assert first[0].uuid_hash != first[1].uuid_hash
    assert [gpu.uuid_hash for gpu in first] == [gpu.uuid_hash for gpu in again]


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_card_can_be_read_without_a_note(install, collector, path):
    table = json.loads(path.read_text())
    for phase in ({}, table["loaded"]):
        install(FakeCard(uuid="GPU-0", answers={**table["idle"], **phase}))
        gpus = collector()
        assert gpus.inventory()[0].name == table["idle"]["nvmlDeviceGetName"]
        (sample,) = gpus.sample()
        assert sample.power_w == pytest.approx({**table["idle"], **phase}["nvmlDeviceGetPowerUsage"] / 1000)
        assert gpus.notes == ()
        gpus.close()


def test_what_a_card_does_not_support_is_none_and_is_asked_for_once(install, collector):
    unsupported = {"error": NOT_SUPPORTED}
    fake = install(
        hopper(
            nvmlDeviceGetPowerUsage=unsupported,
            nvmlDeviceGetTotalEnergyConsumption=unsupported,
            **{"nvmlDeviceGetFieldValues:198": unsupported, "nvmlDeviceGetTotalEccErrors:0:0": unsupported},
        )
    )
    gpus = collector()
    samples = [gpus.sample()[0] for _ in range(12)]
    for sample in samples:
        assert (sample.power_w, sample.energy_mj, sample.pcie_tx_bytes, sample.ecc_corrected) == (None,) * 4
        assert (sample.ecc_uncorrected, sample.sm_clock_mhz) == (0, 1755)
    asked = ("nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues")
    assert [fake.calls[name] for name in asked] == [1, 1, 1]
    assert gpus.notes == ()


def test_an_older_driver_is_read_by_its_older_calls(install, collector):
    fake = install(hopper())
    fake.missing = {
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetCurrentClocksEventReasons",
    }
    (sample,) = collector().sample()
    assert (sample.memory_used_bytes, sample.temperature_c) == (500_000_000, 62)
    assert sample.throttle_reasons == ("sw_power_cap",)


def test_an_idle_card_says_idle_and_an_unknown_reason_keeps_its_bit(install, collector):
    mask = 1 << 6 | 1 << 40
    install(hopper(0, loaded=False), hopper(1, nvmlDeviceGetCurrentClocksEventReasons=mask))
    idle, strange = collector().sample()
    assert idle.throttle_reasons == ("gpu_idle",)
    assert strange.throttle_reasons == ("hw_thermal_slowdown", "bit_40")


def test_slow_fields_are_read_once_a_second_and_held_in_between(install, collector):
    fake = install(hopper())
    gpus = collector()
    samples = [gpus.sample()[0] for _ in range(21)]
    assert fake.calls["nvmlDeviceGetPowerUsage"] == 21
    assert fake.calls["nvmlDeviceGetTotalEccErrors"] == 2 * 3
    assert {sample.processes for sample in samples} == {samples[0].processes}


def test_everything_is_read_when_that_is_asked_for(install, collector):
    fake = install(card := hopper())
    gpus = collector()
    gpus.sample()
    card.xids.append(31)
    assert gpus.sample()[0].xid_errors == ()
    assert gpus.sample(everything=True)[0].xid_errors == (31,)
    assert fake.calls["nvmlDeviceGetTotalEccErrors"] == 2 * 2


def test_a_process_that_comes_to_the_card_is_seen_and_its_memory_may_be_unknown(install, collector):
    unknown = 2**64 - 1
    mine = {"pid": 11, "usedGpuMemory": 5}
    running = [mine]
    install(hopper(nvmlDeviceGetComputeRunningProcesses_v3=lambda: list(running)))
    gpus = collector()
    assert gpus.sample()[0].processes == (GpuProcess(pid=11, memory_bytes=5),)
    running.append({"pid": 7, "usedGpuMemory": unknown})
    later = [gpus.sample()[0] for _ in range(10)][-1]
    assert later.processes == (GpuProcess(pid=7, memory_bytes=None), GpuProcess(pid=11, memory_bytes=5))


def test_a_field_that_fails_now_and_then_is_absent_then_and_there(install, collector):
    answers = iter([{"error": UNKNOWN}, 100_000, {"error": UNKNOWN}, 200_000])
    install(hopper(nvmlDeviceGetPowerUsage=lambda: next(answers)))
    gpus = collector()
    assert [gpus.sample()[0].power_w for _ in range(4)] == [None, 100.0, None, 200.0]
    assert gpus.notes == ()


def test_a_field_that_keeps_failing_is_given_up_with_a_note(install, collector):
    fake = install(hopper(nvmlDeviceGetPowerUsage={"error": UNKNOWN}))
    gpus = collector()
    samples = [gpus.sample()[0] for _ in range(30)]
    assert {sample.power_w for sample in samples} == {None}
    assert {sample.sm_clock_mhz for sample in samples} == {1755}
    assert fake.calls["nvmlDeviceGetPowerUsage"] == 10
    (note,) = gpus.notes
    assert "GPU 0: power" in note
    assert "10 times" in note


def test_a_card_that_falls_off_the_bus_is_noted_with_its_xid_and_the_others_are_read_on(install, collector):
    lost, fine = hopper(0), hopper(1)
    install(lost, fine)
    gpus = collector()
    assert [sample.index for sample in gpus.sample()] == [0, 1]
    lost.xids.append(79)
    lost.answers["nvmlDeviceGetPowerUsage"] = {"error": GPU_IS_LOST}
    assert [sample.index for sample in gpus.sample()] == [1]
    assert gpus.notes == ("GPU 0: GPU is lost (XID 79); it is not read any more",)
    assert [sample.index for sample in gpus.sample()] == [1]
    assert len(gpus.notes) == 1
    assert len(gpus.inventory()) == 2


def test_a_driver_that_is_unloaded_in_the_middle_ends_the_samples_with_a_note(install, collector):
    install(card := hopper())
    gpus = collector()
    assert len(gpus.sample()) == 1
    card.answers = {name: {"error": 1} for name in card.answers}
    assert gpus.sample() == []
    assert gpus.sample() == []
    assert gpus.notes == ("GPU 0: Uninitialized; it is not read any more",)


def test_a_card_that_is_lost_while_it_is_identified_is_left_out(install, collector):
    install(hopper(0, nvmlDeviceGetName={"error": GPU_IS_LOST}), hopper(1))
    gpus = collector()
    assert [(gpu.index, gpu.card) for gpu in gpus.inventory()] == [(0, 1)]
    assert [sample.index for sample in gpus.sample()] == [0]
    assert gpus.notes == ("GPU 0: GPU is lost; it is not read any more",)


def test_xid_errors_are_told_once(install, collector):
    install(card := hopper())
    gpus = collector()
    assert gpus.sample()[0].xid_errors == ()
    card.xids += [13, 31]
    told = [gpus.sample()[0].xid_errors for _ in range(20)]
    assert [numbers for numbers in told if numbers] == [(13, 31)]


def test_a_platform_without_events_says_none_for_xid_errors(install, collector):
    install(hopper(), nvmlEventSetCreate={"error": NOT_SUPPORTED})
    gpus = collector()
    assert [gpus.sample()[0].xid_errors for _ in range(2)] == [None, None]


def test_text_that_is_none_from_a_broken_board_harms_nothing(install, collector):
    install(hopper(nvmlDeviceGetBoardPartNumber="\udcff\udcfe"))
    (gpu,) = collector().inventory()
    assert gpu.part_number is None
    assert gpu.name == "NVIDIA H100 80GB HBM3"


def test_visible_devices_choose_and_order_the_gpus(install, collector):
    install(*(hopper(number) for number in range(4)))
    gpus = collector("2,0")
    assert [(gpu.index, gpu.card) for gpu in gpus.inventory()] == [(0, 2), (1, 0)]
    assert [sample.index for sample in gpus.sample()] == [0, 1]


@pytest.mark.parametrize(
    ("listed", "word"), [("", "hides every GPU"), ("-1", "hides every GPU"), ("7", "'7'")]
)
def test_visible_devices_that_hide_everything_leave_nothing_and_say_so(install, collector, listed, word):
    install(hopper())
    gpus = collector(listed)
    assert gpus.inventory() == ()
    assert gpus.sample() == []
    assert word in gpus.notes[0]


def divided():
    card = hopper(0, nvmlDeviceGetMigMode=[1, 1], nvmlDeviceGetUtilizationRates={"error": NOT_SUPPORTED})
    card.slices = [
        None,
        FakeCard(
            uuid="MIG-11111111-0000-0000-0000-000000000000",
            instances=(7, 0),
            answers={
                "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
                "nvmlDeviceGetMemoryInfo_v2": {"total": 10_000, "reserved": 0, "free": 9_000, "used": 1_000},
                "nvmlDeviceGetComputeRunningProcesses_v3": [{"pid": 5, "usedGpuMemory": 900}],
            },
        ),
        FakeCard(
            uuid="MIG-22222222-0000-0000-0000-000000000000",
            instances=(9, 0),
            answers={"nvmlDeviceGetName": "NVIDIA H100 80GB HBM3 MIG 2g.20gb"},
        ),
    ]
    return card


def test_a_slice_has_its_own_memory_the_cards_clocks_and_no_share_of_its_power(install, collector):
    install(divided(), hopper(1))
    gpus = collector("MIG-1111")
    (gpu,) = gpus.inventory()
    assert (gpu.card, gpu.name, gpu.mig_mode, gpu.mig_slice) == (0, "NVIDIA H100 80GB HBM3", True, "1g.10gb")
    assert (gpu.memory_bytes, gpu.power_limit_w) == (10_000, 700.0)
    (sample,) = gpus.sample()
    assert (sample.memory_used_bytes, sample.sm_clock_mhz, sample.temperature_c) == (1_000, 1755, 62)
    assert (sample.power_w, sample.energy_mj, sample.utilisation_pct, sample.pcie_tx_bytes) == (None,) * 4
    assert sample.processes == (GpuProcess(pid=5, memory_bytes=900),)


def test_without_a_choice_every_slice_and_every_undivided_card_is_read(install, collector):
    install(divided(), hopper(1))
    gpus = collector()
    assert [(gpu.card, gpu.mig_slice) for gpu in gpus.inventory()] == [
        (0, "1g.10gb"),
        (0, "2g.20gb"),
        (1, None),
    ]
    assert gpus.notes == ()


def test_the_old_spelling_of_a_slice_is_understood(install, collector):
    install(card := divided())
    (gpu,) = collector(f"MIG-{card.uuid}/9/0").inventory()
    assert gpu.mig_slice == "2g.20gb"


def test_no_library_is_a_note_that_says_what_to_install(no_library, collector):
    gpus = collector()
    assert gpus.inventory() == ()
    assert gpus.sample() == []
    (note,) = gpus.notes
    assert "install the NVIDIA driver" in note


def test_validation_fails_before_any_load_with_what_to_install(no_library):
    with pytest.raises(ConfigurationError, match=r"libnvidia-ml\.so\.1: install the NVIDIA driver"):
        NvmlCollector.validate_environment()


def test_validation_without_pynvml_says_which_package_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ConfigurationError, match="pip install nvidia-ml-py"):
        NvmlCollector.validate_environment()


@pytest.mark.parametrize(("code", "advice"), [(9, "modprobe nvidia"), (18, "reboot"), (4, "/dev/nvidiactl")])
def test_a_driver_that_does_not_start_is_a_note_with_advice(install, collector, code, advice):
    install(hopper(), nvmlInitWithFlags={"error": code})
    gpus = collector()
    assert gpus.sample() == []
    assert advice in gpus.notes[0]
    with pytest.raises(ConfigurationError, match=advice):
        NvmlCollector.validate_environment()


def test_validation_lets_go_of_the_driver(install):
    fake = install(hopper())
    NvmlCollector.validate_environment()
    assert (fake.calls["nvmlInitWithFlags"], fake.calls["nvmlShutdown"]) == (1, 1)


def test_a_driver_without_a_gpu_and_one_that_cannot_count_are_notes(install, collector):
    install()
    empty = collector()
    assert empty.inventory() == ()
    assert "no GPU" in empty.notes[0]
    install(hopper(), nvmlDeviceGetCount_v2=UNKNOWN)
    broken = collector()
    assert broken.inventory() == ()
    assert broken.notes == ("the NVIDIA driver cannot list its GPUs: Unknown Error",)


def test_a_card_of_somebody_else_is_left_out(install, collector):
    install(hopper(0, nvmlDeviceGetHandleByIndex_v2={"error": 4}), hopper(1))
    gpus = collector()
    assert [gpu.card for gpu in gpus.inventory()] == [1]
    assert gpus.notes == ("GPU 0: Insufficient Permissions; it is left out",)


def test_closing_frees_everything_once_and_reads_nothing_more(install):
    fake = install(hopper(0), hopper(1))
    gpus = NvmlCollector({})
    gpus.sample()
    assert len(fake.event_sets) == 2
    gpus.close()
    gpus.close()
    assert fake.event_sets == {}
    assert (fake.calls["nvmlInitWithFlags"], fake.calls["nvmlShutdown"]) == (1, 1)
    assert gpus.sample() == []


def test_a_collector_that_was_closed_before_it_was_used_starts_no_driver(install):
    fake = install(hopper())
    gpus = NvmlCollector({})
    gpus.close()
    assert gpus.sample() == []
    assert fake.calls["nvmlInitWithFlags"] == 0


def test_the_collector_is_registered_and_local():
    cls = plugins.get_class("gpu_telemetry_collector", "nvml")
    assert cls is NvmlCollector
    assert cls.is_local
    seam: GpuCollector = NvmlCollector({})
    seam.close()


@pytest.mark.parametrize(
    ("readings", "delta"),
    [
        ([100, 250, 900], 800),
        ([None, 100, None, 130], 30),
        ([5, 5], 0),
        ([5], None),
        ([None, None], None),
        ([], None),
        ([900, 1000, 4, 50], None),  # the driver was reloaded
        ([2**32 - 10, 20], None),  # a narrow counter went round
    ],
)
def test_a_counter_gives_its_rise_and_nothing_when_it_went_back(readings, delta):
    assert counter_delta(readings) == delta
