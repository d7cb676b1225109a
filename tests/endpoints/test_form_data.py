"""Forms with files, and the ``data:`` URLs that the files come from."""

from __future__ import annotations

import re

import pytest
from form_parts import BOUNDARY, read

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.data_url import file_of
from pytest_aiperf.endpoints.form_data import FilePart, encode_form

FILE = FilePart(filename="image.png", content_type="image/png", data=b"\x89PNG\r\n--\x00")


def test_a_form_is_written_as_rfc_7578_has_it():
    assert (
        encode_form({"prompt": "a cat", "image": FILE})
        == (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na cat\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="image.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        + FILE.data
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


def test_the_boundary_is_one_that_a_header_can_carry():
    assert re.fullmatch(r"[A-Za-z0-9-]{32,70}", BOUNDARY)  # RFC 2046, 5.1.1


def test_another_parser_reads_back_what_was_written():
    assert read(encode_form({"prompt": "ä\r\nb", "image": FILE, "empty": ""})) == [
        ("prompt", None, None, "ä\r\nb".encode()),
        ("image", "image.png", "image/png", FILE.data),
        ("empty", None, None, b""),
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, [("x", b"true")]),
        (3, [("x", b"3")]),
        (0.5, [("x", b"0.5")]),
        ({"a": [1]}, [("x", b'{"a":[1]}')]),
        (["a", "b"], [("x[]", b"a"), ("x[]", b"b")]),
        ((), []),
        (None, []),
    ],
)
def test_values_that_are_no_text_are_written_as_apis_take_them(value, written):
    assert [(name, data) for name, _, _, data in read(encode_form({"x": value, "last": "1"}))][:-1] == written


def test_a_name_cannot_end_its_header():
    (part,) = read(encode_form({'a"; filename="x"\r\nEvil: 1': "1"}))
    assert part == ("a%22; filename=%22x%22%0D%0AEvil: 1", None, None, b"1")


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": f"x{BOUNDARY}"},
        {BOUNDARY: "x"},
        {"file": FilePart(filename="a.png", content_type="image/png", data=BOUNDARY.encode())},
    ],
)
def test_a_form_that_holds_the_boundary_is_refused(fields):
    with pytest.raises(
        ConfigurationError, match=r"a field of the form holds 'pytest-aiperf-\w+', which separates"
    ):
        encode_form(fields)


@pytest.mark.parametrize(
    ("url", "filename", "media_type", "data"),
    [
        ("data:image/png;base64,iVBORw==", "image.png", "image/png", b"\x89PNG"),
        ("data:image/JPEG;base64,/9j/", "image.jpg", "image/jpeg", b"\xff\xd8\xff"),
        ("DATA:image/webp;name=a;base64,UklG", "image.webp", "image/webp", b"RIF"),
        ("data:image/gif,GIF%38", "image.gif", "image/gif", b"GIF8"),
    ],
)
def test_a_data_url_is_a_file(url, filename, media_type, data):
    assert file_of(url, kind="image") == FilePart(filename=filename, content_type=media_type, data=data)


@pytest.mark.parametrize(
    ("subtype", "ending"),
    [("wav", "wav"), ("x-wav", "wav"), ("mpeg", "mp3"), ("mp4", "m4a"), ("flac", "flac")],
)
def test_a_recording_is_named_by_the_ending_that_servers_know(subtype, ending):
    assert file_of(f"data:audio/{subtype};base64,AAAA", kind="audio").filename == f"audio.{ending}"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://example.org/a.png", "is not a file that can be uploaded: write data:image/"),
        ("iVBORw0KGgo", "is not a file that can be uploaded"),
        ("data:image/png;base64", "is not a file that can be uploaded"),
        ("data:text/html;base64,AAAA", "is of the media type 'text/html', not image/"),
        ("data:;base64,AAAA", "is of the media type '', not image/"),
        ("data:image/p\r\nX: 1;base64,AAAA", "is of the media type"),
        ("data:image/png;base64,A?A=", "is not base64: "),
        ("data:image/png;base64,ä", "is not base64: "),
    ],
)
def test_a_url_that_holds_no_such_file_is_refused(url, why):
    with pytest.raises(ConfigurationError) as caught:
        file_of(url, kind="image")
    assert why in str(caught.value)


def test_a_long_url_is_not_shown_in_full():
    with pytest.raises(ConfigurationError) as caught:
        file_of("data:image/png;base64," + "?" * 10_000, kind="image")
    assert len(str(caught.value)) < 250
