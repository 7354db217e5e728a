/**
 * A graph that a module of ONNX Runtime computes in this thread.
 * @param {any} ort
 * @param {Uint8Array} bytes of the graph
 * @param {object} [options] ONNX Runtime's for the session
 * @returns {Promise<import("../platform.js").Engine>}
 */
export async function engineOf(ort, bytes, options) {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3, ...options });
  /** @type {Promise<void> | undefined} */ let released;
  return {
    async run(feeds) {
      const tensors = Object.entries(feeds).map(([name, [type, data, dims]]) => [name, new ort.Tensor(type, data, dims)]);
      const found = await session.run(Object.fromEntries(tensors));
      return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, tensor.data]));
    },
    release: () => (released ??= session.release()),
  };
}
