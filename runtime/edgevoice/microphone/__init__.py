"""Live audio: from an input device to frames with time and latency.

`edgevoice.Microphone` is an iterator. In a program that is asynchronous:

```python
async def listen():
    with edgevoice.Microphone(extractor) as microphone:
        async for frame in microphone:
            show(frame)
```

In a graphical program, from a timer (tkinter's here; others alike). Each call computes what has come in, and returns:

```python
microphone = edgevoice.Microphone(extractor)

def tick():
    while (frame := microphone.read(timeout=0)) is not None:
        show(frame)
    window.after(50, tick)
```

A program with its own audio needs no microphone, only a stream and its `push`, which accepts blocks of any length and
strides, does not change them, and returns the frames that they complete. In a callback, as sounddevice's, PyAudio's or
a game engine's, that is too much work for the calling thread: copy the samples, and push them in another thread.

```python
blocks = queue.SimpleQueue()

def callback(samples, count, times, status):
    blocks.put(samples.copy())

def idle(stream):
    for frame in stream.push(blocks.get()):
        show(frame)
```

The other thread:

```python
def work():
    stream = extractor.stream(rate=48000, channels=2)
    while (block := blocks.get()) is not None:
        for frame in stream.push(block):
            show(frame)
```

In asyncio, a task lets another thread compute, so that the event loop continues:

```python
async def receive(connection):
    stream = extractor.stream(rate=48000, channels=2)
    async for block in connection:
        for frame in await asyncio.to_thread(stream.push, block):
            show(frame)
```
"""
