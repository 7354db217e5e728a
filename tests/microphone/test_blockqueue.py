"""The queue between PortAudio's thread and the consumer: what makes room, and how it comes to its end."""

from __future__ import annotations

import threading

from edgevoice.microphone.capture import AudioBlock, BlockQueue, Lost, Stopped


def block(number: int) -> AudioBlock:
    return AudioBlock(b"", 800, 800 * number, 0, 0.0, 0.0, 0.0, overflow=False, filled=False)


def filled(count: int, capacity: int = 100) -> BlockQueue:
    blocks = BlockQueue(capacity)
    for number in range(count):
        blocks.put(block(number))
    return blocks


def test_the_oldest_block_makes_room() -> None:
    blocks = filled(5, capacity=3)
    assert [blocks.get(0) for _ in range(4)] == [block(2), block(3), block(4), None]


def test_once_stopped_it_hands_out_what_it_has_and_takes_nothing_more() -> None:
    blocks = filled(2)
    blocks.stop()
    blocks.stop()
    blocks.put(block(2))
    blocks.put(Lost("gone", awaited=False))
    assert [blocks.get(None), blocks.get(None)] == [block(0), block(1)]
    while (item := blocks.get(None)) is None:
        pass
    assert isinstance(item, Stopped)
    assert isinstance(blocks.get(None), Stopped), "it does not wait for what will never come"


def test_what_is_discarded_is_not_handed_out() -> None:
    blocks = filled(5)
    blocks.discard()
    assert isinstance(blocks.get(None), Stopped)


def test_stopping_wakes_up_who_waits() -> None:
    blocks, got = BlockQueue(3), []
    thread = threading.Thread(target=lambda: got.append(blocks.get(None)))
    thread.start()
    blocks.stop()
    thread.join(20)
    assert isinstance(got[0], Stopped)
