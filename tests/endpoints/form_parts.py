"""Forms that were sent, as a parser that is not ours reads them."""

from __future__ import annotations

from email.parser import BytesParser

from pytest_aiperf.endpoints.form_data import FORM_DATA

BOUNDARY = FORM_DATA.partition("boundary=")[2]


def read(body):
    """Names, file names, types and contents, as a parser that is not ours reads them."""
    parsed = BytesParser().parsebytes(f"Content-Type: {FORM_DATA}\r\n\r\n".encode() + body)
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type() if part.get_filename() else None,
            part.get_payload(decode=True),
        )
        for part in parsed.get_payload()
    ]
