"""Messages to bytes and back: JSON by msgspec, zstd where it is asked for, bounded by streamed reads.

Nothing is decompressed or decoded without a bound. Compression is told by the header `Content-Encoding: zstd`.
Pure module: no I/O.
"""

import io
from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec
import zstandard

from protocol.commands import NOT_BUILT_COMMANDS, NOT_BUILT_FIELDS, Command
from protocol.errors import AcpError, BadCommand, BadMessage, NotSupported
from protocol.messages import Message
from protocol.nearest import bad_command, nearest
from protocol.replies import REPLY_TYPES, Reply

MAX_MESSAGE_BYTES = 1024 * 1024
"""Largest message, before and after decompression: the broker's default `max_payload`."""

MAX_DEPTH = 64
"""Deepest nesting of a command; the deepest legal one has 5 levels."""

ENCODING_HEADER = "Content-Encoding"
VERSION_HEADER = "Acp-Version"
VERSION = "1"

Encoding = Literal["zstd", "identity"]

_LEVEL = 3
_encoder = msgspec.json.Encoder()
_command_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_message_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(message: msgspec.Struct) -> bytes:
    """JSON bytes of any message."""
    return _encoder.encode(message)


def compress(data: bytes) -> bytes:
    """One zstd frame that carries its content size. A compressor per call: they must not be shared by threads."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False).compress(data)


def decompress(data: bytes, limit: int = MAX_MESSAGE_BYTES) -> bytes:
    """The content of one zstd frame, at most `limit` bytes.

    Read as a stream: `ZstdDecompressor.decompress(max_output_size=)` ignores its bound when the frame names a size.

    Raises:
        BadMessage: `too_large` beyond the limit, `bad_encoding` for anything but exactly one whole frame.
    """
    try:
        if zstandard.frame_content_size(data) > limit:
            raise BadMessage("too_large", f"the message is larger than {limit} bytes when decompressed")
        source = io.BytesIO(data)
        with zstandard.ZstdDecompressor(max_window_size=max(limit, 1 << 20)).stream_reader(
            source, read_across_frames=True
        ) as reader:
            content = reader.read(limit + 1)
            if len(content) <= limit and not _frame_is_whole(data, len(content)):
                raise BadMessage("bad_encoding", "the zstd frame is cut off", hint="send the frame whole")
    except zstandard.ZstdError as error:
        raise BadMessage("bad_encoding", f"the bytes are not a zstd frame: {error}") from error
    if len(content) > limit:
        raise BadMessage("too_large", f"the message is larger than {limit} bytes when decompressed")
    return content


def _frame_is_whole(data: bytes, content_size: int) -> bool:
    """Whether a frame that names its size delivered it; a streamed reader ends quietly where the bytes end."""
    declared = zstandard.frame_content_size(data)
    return declared in (-1, content_size)


def pack(message: msgspec.Struct) -> tuple[bytes, dict[str, str]]:
    """A message between agents: compressed, with its headers."""
    return compress(_encoder.encode(message)), {ENCODING_HEADER: "zstd", VERSION_HEADER: VERSION}


def unpack(data: bytes, headers: Mapping[str, str] | None) -> bytes:
    """JSON bytes of a received payload, after its `Content-Encoding`.

    Raises:
        BadMessage: too large, an unknown encoding, or bytes that are not what the header says.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadMessage("too_large", f"the message is larger than {MAX_MESSAGE_BYTES} bytes")
    match encoding_of(headers):
        case "zstd":
            return decompress(data)
        case "identity":
            return data


def encoding_of(headers: Mapping[str, str] | None) -> Encoding:
    """The encoding that the headers name; plain where they name none.

    Raises:
        BadMessage: the encoding is neither `zstd` nor `identity`.
    """
    value = (headers or {}).get(ENCODING_HEADER, "identity").strip().lower()
    if value not in ("zstd", "identity"):
        raise BadMessage(
            "bad_encoding", f"Content-Encoding {value[:32]!r} is not known", hint="send zstd, or plain JSON without the header"
        )
    return cast("Encoding", value)


def decode_message(data: bytes) -> Message:
    """A message between agents.

    Raises:
        BadMessage: the bytes are not one.
    """
    try:
        return _message_decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadMessage("invalid_json", f"not a message between agents: {error}") from error


def decode_command(data: bytes) -> Command:
    """A command, checked field by field.

    Raises:
        BadMessage: not JSON, or nested too deeply.
        BadCommand: an unknown command or field (with the nearest known name), a wrong type or value.
        NotSupported: a command or field that this version does not build.
    """
    if _depth(data) > MAX_DEPTH:
        raise BadMessage("invalid_json", f"the command is nested deeper than {MAX_DEPTH} levels")
    try:
        command = _command_decoder.decode(data)
    except msgspec.ValidationError as error:
        raise bad_command(error, data) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("invalid_json", f"the command is not JSON: {error}", hint='send one object, {"cmd": …}') from error
    refuse_not_built(command)
    return command


def refuse_not_built(command: Command) -> None:
    """Refuse what is declared and not built, naming it.

    Raises:
        NotSupported: the first such command or field.
    """
    kind = type(command)
    if kind in NOT_BUILT_COMMANDS:
        raise NotSupported(
            f"the command {kind.__struct_config__.tag} is not supported by this version",
            path="$.cmd",
            hint="ask CAPABILITIES for what is not supported",
        )
    defaults = {field.encode_name: _default(field) for field in msgspec.structs.fields(kind)}
    for name in NOT_BUILT_FIELDS.get(kind, ()):
        if getattr(command, name) != defaults[name]:
            raise NotSupported(
                f"the field {name} is not supported by this version", path=f"$.{name}", hint=f"leave {name} out"
            )


def _default(field: msgspec.structs.FieldInfo) -> Any:  # noqa: ANN401
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def decode_reply(data: bytes) -> Reply:
    """A reply, told apart by its first key.

    Raises:
        BadMessage: the bytes are no reply of this protocol.
    """
    try:
        keys = list(_raw_object.decode(data))
        kind = REPLY_TYPES[keys[0]]
        return cast("Reply", msgspec.json.decode(data, type=kind))
    except KeyError as error:
        raise BadMessage("invalid_json", f"not a reply: {nearest(str(error.args[0]), REPLY_TYPES)}") from error
    except (msgspec.DecodeError, IndexError, RecursionError) as error:
        raise BadMessage("invalid_json", f"not a reply: {error}") from error


def error_of(failure: BaseException) -> AcpError:
    """Any failure as an error with a wire form; what is not ours becomes `internal` without its text's secrets."""
    if isinstance(failure, AcpError):
        return failure
    return BadCommand("internal", f"the service failed: {type(failure).__name__}", hint="see the log of the agent")


def _depth(data: bytes) -> int:
    """Deepest nesting of brackets outside strings; at most one pass, stops past the bound."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in data if data.count(b"[") + data.count(b"{") > MAX_DEPTH else b"":
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                return deepest
        elif byte in (0x5D, 0x7D):
            depth -= 1
    return deepest
