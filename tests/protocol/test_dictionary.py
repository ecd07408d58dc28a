"""The dictionary: messages between agents are smaller by it and come back, those of the door never need it."""

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import zstandard

from protocol import codec, dictionary_training
from protocol.channel import Channel
from protocol.channels import CHANNELS, DICTIONARY_MESSAGES
from protocol.dictionary import LEVEL, dictionary_file, load, registry, registry_file
from protocol.dictionary_samples import messages
from protocol.errors import BadMessage
from protocol.messages import ROLES, GenerateImage
from tests.protocol.bombs import MIB
from tests.protocol.frames import FILES, GOLDEN, decoded, kind_of

WRITTEN = registry().written
WITH_DICTIONARY = [file for file in FILES if kind_of(file) in DICTIONARY_MESSAGES]
WITHOUT = [file for file in FILES if kind_of(file) not in DICTIONARY_MESSAGES]
KINDS = dictionary_training.KINDS

Frame = Callable[[bytes], bytes]


def sized(content: bytes, dictionary: zstandard.ZstdCompressionDict | None = None, named: bool = True) -> bytes:
    """A frame that names its size and its dictionary, by default the one that is written."""
    dict_data = dictionary or load(registry())[WRITTEN]
    return zstandard.ZstdCompressor(level=LEVEL, dict_data=dict_data, write_dict_id=named).compress(content)


def unsized(content: bytes, dictionary: zstandard.ZstdCompressionDict | None = None) -> bytes:
    """The frame of a stream, which names its dictionary alone."""
    stream = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary or load(registry())[WRITTEN]).compressobj()
    return stream.compress(content) + stream.flush()


both_frames = pytest.mark.parametrize("frame", [sized, unsized], ids=["sized", "unsized"])


def dictionary_of(frame: bytes) -> int:
    return zstandard.get_frame_parameters(frame).dict_id


@pytest.mark.parametrize("file", WITH_DICTIONARY, ids=lambda file: file.stem)
def test_a_message_between_agents_names_its_dictionary_is_smaller_by_it_and_comes_back(file: Path) -> None:
    message = decoded(file)
    payload, headers = codec.pack(message, dictionary=True)

    assert headers == {"Content-Encoding": "zstd", "Acp-Version": "1"}
    assert dictionary_of(payload) == WRITTEN
    assert len(payload) < len(codec.pack(message)[0])
    assert codec.unpack(payload, headers) == codec.encode(message)


@pytest.mark.parametrize("file", WITHOUT, ids=lambda file: file.stem)
def test_what_a_client_may_send_or_read_never_needs_the_dictionary(file: Path) -> None:
    payload, _ = codec.pack(decoded(file), dictionary=True)

    assert dictionary_of(payload) == 0
    assert zstandard.ZstdDecompressor().decompress(payload) == codec.encode(decoded(file))


@pytest.mark.parametrize("file", WITH_DICTIONARY, ids=lambda file: file.stem)
def test_nothing_needs_the_dictionary_unless_that_is_asked_for(file: Path) -> None:
    payload, headers = codec.pack(decoded(file))

    assert dictionary_of(payload) == 0
    assert codec.unpack(payload, headers) == codec.encode(decoded(file))


@pytest.mark.parametrize("channel", [one for one in CHANNELS if one.dictionary], ids=lambda channel: channel.name)
def test_a_channel_with_the_dictionary_is_between_agents_alone(channel: Channel) -> None:
    """What the logins may read on the broker follows from the receivers (`bus/topology.py`)."""
    assert set(channel.receivers) <= set(ROLES)


def test_no_message_travels_both_with_the_dictionary_and_where_it_is_not_allowed() -> None:
    elsewhere = {kind for channel in CHANNELS if not channel.dictionary for kind in channel.messages}

    assert not DICTIONARY_MESSAGES & elsewhere


@pytest.mark.parametrize("dictionary", sorted(registry().sha256))
def test_a_frame_of_every_dictionary_is_still_read(dictionary: int) -> None:
    frame = (GOLDEN / f"{dictionary_training.GOLDEN}_{dictionary}.zst").read_bytes()
    message = codec.decode_message(codec.unpack(frame, {"Content-Encoding": "zstd"}))

    assert dictionary_of(frame) == dictionary
    assert isinstance(message, GenerateImage)
    assert message == decoded(GOLDEN / f"{dictionary_training.GOLDEN}.json")


def trained(dictionary: int) -> bytes:
    """A dictionary of few messages."""
    samples = [codec.encode(message) for message in messages(KINDS, 300, seed=2)]
    return dictionary_training.train(samples, dictionary, size=2048)


@both_frames
def test_a_frame_whose_dictionary_is_not_known_is_refused_with_its_id(
    frame: Callable[[bytes, zstandard.ZstdCompressionDict], bytes],
) -> None:
    unknown = zstandard.ZstdCompressionDict(trained(40_000))
    with pytest.raises(BadMessage, match="dictionary 40000 is not known") as caught:
        codec.decompress(frame(codec.encode(decoded(WITH_DICTIONARY[0])), unknown))

    assert caught.value.code == "bad_encoding"


def test_a_frame_that_does_not_name_the_dictionary_it_needs_is_refused() -> None:
    message = decoded(GOLDEN / "work_generate_image.json")
    with pytest.raises(BadMessage) as caught:
        codec.decompress(sized(codec.encode(message), named=False))

    assert caught.value.code == "bad_encoding"


@both_frames
def test_a_bound_is_exact_to_a_byte_with_the_dictionary_too(frame: Frame) -> None:
    assert codec.decompress(frame(bytes(MIB))) == bytes(MIB)
    assert codec.decompress(frame(b"")) == b""
    with pytest.raises(BadMessage, match=f"larger than {MIB} bytes"):
        codec.decompress(frame(bytes(MIB + 1)))


@both_frames
def test_a_bomb_with_the_dictionary_is_refused_in_bounded_memory(frame: Frame) -> None:
    bomb = frame(bytes(64 * MIB))
    tracemalloc.start()
    with pytest.raises(BadMessage) as caught:
        codec.decompress(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert caught.value.code == "too_large"
    assert peak < 16 * MIB


@both_frames
def test_a_frame_with_the_dictionary_is_exactly_one_whole_frame(frame: Frame) -> None:
    content = codec.encode(decoded(WITH_DICTIONARY[0]))
    for wrong in (frame(content)[:-1], frame(content) + b"}", frame(content) * 2):
        with pytest.raises(BadMessage) as caught:
            codec.decompress(wrong)
        assert caught.value.code == "bad_encoding"
        assert codec.decompress(frame(content)) == content


def test_threads_share_the_dictionary() -> None:
    sent = list(messages(KINDS, 400, seed=3))

    def there_and_back(message: msgspec.Struct) -> bool:
        payload, headers = codec.pack(message, dictionary=True)
        return codec.unpack(payload, headers) == codec.encode(message)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, sent))


def test_every_dictionary_is_the_one_that_is_registered_and_small() -> None:
    registered = registry()
    dictionaries = load(registered)

    assert registered.written in dictionaries
    for dictionary, content in dictionaries.items():
        assert content.dict_id() == dictionary
        assert len(content) <= 16 * 1024


def test_a_dictionary_that_was_changed_does_not_load(tmp_path: Path) -> None:
    registered = registry()
    content = dictionary_file(WRITTEN).read_bytes()
    dictionary_training.add(content, registered, WRITTEN, tmp_path)
    assert load(registry(tmp_path), tmp_path)
    dictionary_file(WRITTEN, tmp_path).write_bytes(content[:-1] + b"?")

    with pytest.raises(ValueError, match="not the dictionary that is registered"):
        load(registry(tmp_path), tmp_path)


def test_a_further_dictionary_is_written_and_those_before_it_are_read(tmp_path: Path) -> None:
    registry_file(tmp_path).write_text('{"written": 0, "sha256": {}}')
    for dictionary in (40_000, 40_001):
        dictionary_training.add(trained(dictionary), registry(tmp_path), dictionary, tmp_path)
    dictionaries = load(registry(tmp_path), tmp_path)

    assert registry(tmp_path).written == 40_001
    for dictionary in (40_000, 40_001):
        frame = sized(b"a frame of either", dictionaries[dictionary])
        read = zstandard.ZstdDecompressor(dict_data=dictionaries[dictionary]).decompress(frame)
        assert (dictionary_of(frame), read) == (dictionary, b"a frame of either")


def test_the_same_samples_give_the_same_dictionary() -> None:
    assert trained(40_000) == trained(40_000)


def test_samples_are_messages_of_every_type_that_is_written_with_the_dictionary() -> None:
    samples = list(messages(KINDS, 500, seed=4))

    assert {type(message) for message in samples} == set(KINDS)
    assert all(codec.decode_message(codec.encode(message)) == message for message in samples)
