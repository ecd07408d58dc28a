"""Messages to bytes and back: JSON by msgspec, zstd where it is asked for, everything bounded.

Nothing is decompressed or decoded without a bound. Compression is told by the header
`Content-Encoding: zstd`, a dictionary by the frame itself: any that is known is read, whoever sent it, and one is
written where agents alone listen. Pure module: no I/O but the dictionaries, which are read at import.
"""

import threading
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

import msgspec
import zstandard

from protocol.channels import DICTIONARY_MESSAGES
from protocol.commands import NOT_BUILT_COMMANDS, NOT_BUILT_FIELDS, Command, GenerateImages
from protocol.consumers import Consumers
from protocol.dictionary import LEVEL, load, registry
from protocol.drafts import Drafts
from protocol.errors import AcpError, BadCommand, BadMessage, DiskFull, NotSupported, is_disk_full
from protocol.flat_jobs import KnownMessage, current_message
from protocol.messages import Message
from protocol.nearest import COMMAND_TYPES, OPERATOR_TYPES, Kinds, bad_command, nearest
from protocol.offers import OFFER_KINDS
from protocol.operator import OperatorCommand
from protocol.replies import REPLY_TYPES, Reply
from protocol.reuse import Reuse
from protocol.shape import is_deeper, repeated_name
from protocol.spending import Spending
from protocol.sweep import check_sweep
from protocol.template import check_template
from protocol.undecodable import undecodable_hint

MAX_MESSAGE_BYTES = 1024 * 1024
"""Largest message, before and after decompression: the broker's default `max_payload`."""

MAX_COMMAND_BYTES = 512 * 1024
"""Largest command as JSON: half a message, so that what is derived from one fits in a message."""

MAX_DEPTH = 64
"""Deepest nesting of a command; the deepest legal one has 5 levels."""

MAX_QUOTED = 400
"""Characters of what a decoder says of bytes that it cannot read."""

ENCODING_HEADER = "Content-Encoding"
VERSION_HEADER = "Acp-Version"
VERSION = "1"

Encoding = Literal["zstd", "identity"]
Decoded = TypeVar("Decoded")

_MAX_WINDOW = 8 << 20
"""Window that every decoder should support (RFC 8878, 3.1.1.1.2); a stream of unknown size names 2 MiB."""
_SLICE = 256
"""Bytes fed to the decompressor at once: at 4 bytes a run-length block of 128 KiB, 8 MiB at most come out."""

_registered = registry()
_dictionaries = load(_registered)
_encoder = msgspec.json.Encoder()
_command_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_operator_decoder: msgspec.json.Decoder[OperatorCommand] = msgspec.json.Decoder(OperatorCommand)
_message_decoder: msgspec.json.Decoder[KnownMessage] = msgspec.json.Decoder(KnownMessage)
_spending_decoder: msgspec.json.Decoder[Spending] = msgspec.json.Decoder(Spending)
_reuse_decoder: msgspec.json.Decoder[Reuse] = msgspec.json.Decoder(Reuse)
_drafts_decoder: msgspec.json.Decoder[Drafts] = msgspec.json.Decoder(Drafts)
_consumers_decoder: msgspec.json.Decoder[Consumers] = msgspec.json.Decoder(Consumers)
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Tagged(msgspec.Struct):
    kind: str


_kind_decoder = msgspec.json.Decoder(_Tagged)


class _Zstd(threading.local):
    """Contexts of one thread, which threads must not share and which take longer to make than to use."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False)
        self.dictionary_compressor = zstandard.ZstdCompressor(
            level=LEVEL, write_checksum=False, dict_data=_dictionaries[_registered.written]
        )
        self._decompressors = {0: zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)}

    def decompressor(self, dictionary: int) -> zstandard.ZstdDecompressor:
        """That of a dictionary, by its id; 0 is without one.

        Raises:
            BadMessage: `bad_encoding` for an id that is not known.
        """
        if found := self._decompressors.get(dictionary):
            return found
        if dictionary not in _dictionaries:
            raise BadMessage(
                "bad_encoding",
                f"the zstd dictionary {dictionary} is not known",
                hint="compress without a dictionary",
            )
        made = zstandard.ZstdDecompressor(dict_data=_dictionaries[dictionary], max_window_size=_MAX_WINDOW)
        return self._decompressors.setdefault(dictionary, made)


_zstd = _Zstd()
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def encode(message: msgspec.Struct) -> bytes:
    """JSON bytes of any message."""
    return _encoder.encode(message)


def compress(data: bytes, *, dictionary: bool = False) -> bytes:
    """One zstd frame that carries its content size; with a `dictionary` also the id of that."""
    return (_zstd.dictionary_compressor if dictionary else _zstd.compressor).compress(data)


def decompress(data: bytes, limit: int = MAX_MESSAGE_BYTES) -> bytes:
    """The content of exactly one whole zstd frame, at most `limit` bytes.

    Raises:
        BadMessage: `too_large` beyond the limit; `bad_encoding` for what is no frame, is cut off, goes on
            after its end, or needs a dictionary that is not known.
    """
    if not data.startswith(zstandard.FRAME_HEADER):
        raise BadMessage("bad_encoding", "the bytes are not a zstd frame", hint="send one frame, or plain JSON")
    try:
        declared = zstandard.frame_content_size(data)
        if declared > limit:
            raise _too_large_inside(limit)
        decompressor = _zstd.decompressor(zstandard.get_frame_parameters(data).dict_id)
        if declared > 0:  # bounds the output: `max_output_size` is ignored for frames that name their size
            return decompressor.decompress(data, allow_extra_data=False)
        return _decompress_in_slices(decompressor.decompressobj(), data, limit)
    except zstandard.ZstdError as error:
        raise BadMessage("bad_encoding", f"the bytes are not one zstd frame: {error}") from error


def _decompress_in_slices(frame: "zstandard.ZstdDecompressionObj", data: bytes, limit: int) -> bytes:
    """The content of a frame that does not name its size."""
    content = bytearray()
    for start in range(0, len(data), _SLICE):
        content += frame.decompress(data[start : start + _SLICE])
        if len(content) > limit:
            raise _too_large_inside(limit)
        if frame.eof:
            if frame.unused_data or start + _SLICE < len(data):
                raise BadMessage("bad_encoding", "bytes follow the zstd frame", hint="send one frame")
            return bytes(content)
    raise BadMessage("bad_encoding", "the zstd frame is cut off", hint="send the frame whole")


def _too_large_inside(limit: int) -> BadMessage:
    return BadMessage("too_large", f"the message is larger than {limit} bytes when decompressed")


def pack(message: msgspec.Struct, *, dictionary: bool = False) -> tuple[bytes, dict[str, str]]:
    """A message, compressed, with its headers. `dictionary` says that whoever reads it knows the dictionary; it is used
    for messages of the channels that say so (`protocol.channels`), never for those that a client may read."""
    data = compress(_encoder.encode(message), dictionary=dictionary and type(message) in DICTIONARY_MESSAGES)
    return data, {ENCODING_HEADER: "zstd", VERSION_HEADER: VERSION}


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
            "bad_encoding",
            f"Content-Encoding {value[:32]!r} is not known",
            hint="send zstd, or plain JSON without the header",
        )
    return value


def decode_message(data: bytes) -> Message:
    """A message between agents; one of version 0.1.0 as it is now.

    Raises:
        BadMessage: the bytes are not one.
    """
    return current_message(_decode(data, _message_decoder, "a message between agents"))


def decode_presence(data: bytes) -> Message:
    """A presence, without the offers whose kind only a later version knows.

    Raises:
        BadMessage: the bytes are not one.
    """
    fields = _decode(data, _raw_object, "a presence")
    offers = _decode(bytes(fields.get("offers", b"[]")), _raw_list, "a list of offers")
    known = [offer for offer in offers if _decode(bytes(offer), _kind_decoder, "an offer").kind in OFFER_KINDS]
    return decode_message(_encoder.encode(fields | {"offers": known}))


def decode_spending(data: bytes) -> Spending:
    """A question about a paid call, or its answer.

    Raises:
        BadMessage: the bytes are not one.
    """
    return _decode(data, _spending_decoder, "a message about a paid call")


def decode_reuse(data: bytes) -> Reuse:
    """A question about stored pictures, or its answer.

    Raises:
        BadMessage: the bytes are not one.
    """
    return _decode(data, _reuse_decoder, "a message about stored pictures")


def decode_drafts(data: bytes) -> Drafts:
    """A request for drafts of prompts, or its answer.

    Raises:
        BadMessage: the bytes are not one.
    """
    return _decode(data, _drafts_decoder, "a message about drafts of prompts")


def decode_consumers(data: bytes) -> Consumers:
    """A request for a durable consumer, or its answer.

    Raises:
        BadMessage: it is neither.
    """
    return _decode(data, _consumers_decoder, "a message about durable consumers")


def _decode(data: bytes, decoder: msgspec.json.Decoder[Decoded], what: str) -> Decoded:
    try:
        return decoder.decode(data)
    except _UNDECODABLE as error:
        raise BadMessage("invalid_json", f"not {what}: {_shortened(error)}") from error


def _shortened(error: Exception) -> str:
    """What a decoder says, which may quote a value of any length."""
    said = str(error)
    return said if len(said) <= MAX_QUOTED else f"{said[: MAX_QUOTED // 2]}…{said[-MAX_QUOTED // 2 :]}"


def decode_command(data: bytes) -> Command:
    """A command, checked field by field.

    Raises:
        BadMessage: not JSON, too large, or nested too deeply.
        BadCommand: an unknown command or field (with the nearest known name), a field given twice, a wrong
            type or value.
        NotSupported: a command or field that this version does not build.
    """
    command = _strictly(data, _command_decoder, COMMAND_TYPES)
    refuse_not_built(command)
    if isinstance(command, GenerateImages):
        check_wish(command)
    return command


def decode_operator_command(data: bytes) -> OperatorCommand:
    """A command of the operator, checked field by field.

    Raises:
        BadMessage: as for a client's command.
        BadCommand: as for a client's command.
    """
    return _strictly(data, _operator_decoder, OPERATOR_TYPES)


def _strictly(data: bytes, decoder: msgspec.json.Decoder[Decoded], kinds: Kinds) -> Decoded:
    if len(data) > MAX_COMMAND_BYTES:
        raise BadMessage("too_large", f"the command is larger than {MAX_COMMAND_BYTES} bytes")
    if is_deeper(data, MAX_DEPTH):
        raise BadMessage("invalid_json", f"the command is nested deeper than {MAX_DEPTH} levels")
    try:
        command = decoder.decode(data)
    except msgspec.ValidationError as error:
        raise bad_command(error, data, kinds) from error
    except _UNDECODABLE as error:
        raise BadMessage("invalid_json", f"the command is not JSON: {error}", hint=undecodable_hint(data)) from error
    if path := repeated_name(data):
        raise BadCommand("invalid_value", "the field is given twice", path=path[:200], hint="give it once")
    return command


def check_wish(command: GenerateImages) -> None:
    """Refuse what the types alone cannot tell.

    Raises:
        BadCommand: a sweep or a name template that cannot be used.
    """
    check_sweep(command)
    if command.catalogue and command.catalogue.output_template is not None:
        check_template(command.catalogue.output_template, "$.catalogue.output_template")
    if command.export and command.export.name_template is not None:
        check_template(command.export.name_template, "$.export.name_template")


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


_NOT_BUILT: dict[type[msgspec.Struct], dict[str, Any]] = {
    kind: {field.name: _default(field) for field in msgspec.structs.fields(kind) if field.name in names}
    for kind, names in NOT_BUILT_FIELDS.items()
}
"""Command, or part of one -> field -> the one value that is accepted."""


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
    _refuse_not_built_fields(command, "")
    if isinstance(command, GenerateImages) and command.export is not None:
        _refuse_not_built_fields(command.export, "export.")


def _refuse_not_built_fields(part: msgspec.Struct, prefix: str) -> None:
    for name, default in _NOT_BUILT.get(type(part), {}).items():
        if getattr(part, name) != default:
            raise NotSupported(
                f"the field {prefix}{name} is not supported by this version",
                path=f"$.{prefix}{name}",
                hint=f"leave {prefix}{name} out",
            )


def decode_reply(data: bytes) -> Reply:
    """A reply, told apart by its first key.

    Raises:
        BadMessage: the bytes are no reply of this protocol.
    """
    try:
        first = next(iter(_raw_object.decode(data)), "")
        if first not in REPLY_TYPES:
            raise BadMessage("invalid_json", f"not a reply: {nearest(first, REPLY_TYPES)}")
        return cast("Reply", msgspec.json.decode(data, type=REPLY_TYPES[first]))
    except _UNDECODABLE as error:
        raise BadMessage("invalid_json", f"not a reply: {_shortened(error)}") from error


def error_of(failure: BaseException) -> AcpError:
    """Any failure as an error with a wire form; a foreign one becomes `internal`, without its text."""
    if isinstance(failure, AcpError):
        return failure
    if is_disk_full(failure):
        return DiskFull()
    return BadCommand("internal", f"the service failed: {type(failure).__name__}", hint="see the log of the agent")
