"""Options of images, audio and video that are made up and sent with the prompts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups


class MediaOptions(BaseModel):
    """Synthetic media."""

    image_width_mean: Annotated[
        int,
        Field(
            ge=0, le=16384, description="Width of a made-up image; with a height too, each prompt has images."
        ),
        CLIParameter(name=("--image-width-mean",), group=Groups.IMAGE_INPUT, marker=True, metavar="PIXELS"),
    ] = 0
    image_width_stddev: Annotated[
        FiniteFloat,
        Field(ge=0, le=16384, description="Standard deviation of the width."),
        CLIParameter(name=("--image-width-stddev",), group=Groups.IMAGE_INPUT, marker=True, metavar="PIXELS"),
    ] = 0.0
    image_height_mean: Annotated[
        int,
        Field(ge=0, le=16384, description="Height of a made-up image."),
        CLIParameter(name=("--image-height-mean",), group=Groups.IMAGE_INPUT, marker=True, metavar="PIXELS"),
    ] = 0
    image_height_stddev: Annotated[
        FiniteFloat,
        Field(ge=0, le=16384, description="Standard deviation of the height."),
        CLIParameter(
            name=("--image-height-stddev",), group=Groups.IMAGE_INPUT, marker=True, metavar="PIXELS"
        ),
    ] = 0.0
    image_batch_size: Annotated[
        int,
        Field(ge=1, le=1000, description="Images of each prompt."),
        CLIParameter(
            name=("--image-batch-size", "--batch-size-image"),
            group=Groups.IMAGE_INPUT,
            marker=True,
            metavar="N",
        ),
    ] = 1
    image_format: Annotated[
        Literal["png", "jpeg"],
        Field(description="File format of the images: png needs nothing; jpeg needs the extra media."),
        CLIParameter(name=("--image-format",), group=Groups.IMAGE_INPUT, marker=True, metavar="NAME"),
    ] = "png"
    audio_length_mean: Annotated[
        FiniteFloat,
        Field(ge=0, le=3600, description="Length of a made-up recording; each prompt then has one."),
        CLIParameter(name=("--audio-length-mean",), group=Groups.AUDIO_INPUT, marker=True, metavar="SECONDS"),
    ] = 0.0
    audio_length_stddev: Annotated[
        FiniteFloat,
        Field(ge=0, le=3600, description="Standard deviation of the length."),
        CLIParameter(
            name=("--audio-length-stddev",), group=Groups.AUDIO_INPUT, marker=True, metavar="SECONDS"
        ),
    ] = 0.0
    audio_batch_size: Annotated[
        int,
        Field(ge=1, le=1000, description="Recordings of each prompt."),
        CLIParameter(
            name=("--audio-batch-size", "--batch-size-audio"),
            group=Groups.AUDIO_INPUT,
            marker=True,
            metavar="N",
        ),
    ] = 1
    audio_format: Annotated[
        Literal["wav", "flac"],
        Field(description="File format of the recordings: wav needs nothing; flac needs the extra media."),
        CLIParameter(name=("--audio-format",), group=Groups.AUDIO_INPUT, marker=True, metavar="NAME"),
    ] = "wav"
    audio_sample_rate: Annotated[
        int,
        Field(ge=1000, le=192000, description="Samples per second of the recordings."),
        CLIParameter(
            name=("--audio-sample-rate", "--audio-sample-rates"),
            group=Groups.AUDIO_INPUT,
            marker=True,
            metavar="HZ",
        ),
    ] = 16000
    audio_num_channels: Annotated[
        int,
        Field(ge=1, le=2, description="Channels of the recordings: 1 or 2."),
        CLIParameter(name=("--audio-num-channels",), group=Groups.AUDIO_INPUT, marker=True, metavar="N"),
    ] = 1
    video_duration: Annotated[
        FiniteFloat,
        Field(ge=0, le=600, description="Length of a made-up video; each prompt then has one."),
        CLIParameter(name=("--video-duration",), group=Groups.VIDEO_INPUT, marker=True, metavar="SECONDS"),
    ] = 0.0
    video_fps: Annotated[
        int,
        Field(ge=1, le=120, description="Frames per second of the videos."),
        CLIParameter(name=("--video-fps",), group=Groups.VIDEO_INPUT, marker=True, metavar="N"),
    ] = 4
    video_width: Annotated[
        int,
        Field(ge=16, le=8192, description="Width of the videos."),
        CLIParameter(name=("--video-width",), group=Groups.VIDEO_INPUT, marker=True, metavar="PIXELS"),
    ] = 320
    video_height: Annotated[
        int,
        Field(ge=16, le=8192, description="Height of the videos."),
        CLIParameter(name=("--video-height",), group=Groups.VIDEO_INPUT, marker=True, metavar="PIXELS"),
    ] = 240
    video_batch_size: Annotated[
        int,
        Field(ge=1, le=1000, description="Videos of each prompt."),
        CLIParameter(
            name=("--video-batch-size", "--batch-size-video"),
            group=Groups.VIDEO_INPUT,
            marker=True,
            metavar="N",
        ),
    ] = 1
