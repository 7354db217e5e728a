import { GraphError } from "./errors.js";

// ONNX Runtime's JavaScript API does not give a model's metadata, and a JSON file beside the graph could be that of
// another one. So it is read from the graph: field 14 of onnx.ModelProto, a list of pairs of strings (onnx.proto3).
const METADATA = 14;
const TEXTS = new Set(["name", "version", "level"]); // all else is JSON

/**
 * What a live graph says about itself.
 * @typedef {object} Metadata
 * @property {string} name
 * @property {string} version
 * @property {number} rate sampling rate, in hertz
 * @property {number} window samples of a window
 * @property {number} hop samples from one window to the next
 * @property {number} step samples of a step, the smallest part of a hop that can be lost
 * @property {number} state numbers in the state of a source
 * @property {string} level
 * @property {string[]} names of the descriptors
 * @property {{mean: number[], spread: number[]} | null} typical of each descriptor over speech, for pictures
 * @property {Record<string, string>} digests of the networks
 */

/**
 * The metadata of a live graph, from the bytes of its file.
 * @param {Uint8Array} bytes
 * @returns {Metadata}
 * @throws {GraphError} it is none
 */
export function metadataOf(bytes) {
  /** @type {Record<string, any>} */
  const found = propertiesOf(bytes);
  try {
    for (const key in found) if (!TEXTS.has(key)) found[key] = JSON.parse(found[key]);
  } catch (error) {
    throw new GraphError("this is no live graph: its metadata is no JSON", { cause: error });
  }
  for (const key of ["rate", "window", "hop", "step", "state"]) {
    if (!Number.isInteger(found[key])) {
      throw new GraphError(`this is no live graph: it has no ${key}; make one with edgevoice-export live`);
    }
  }
  return /** @type {Metadata} */ (/** @type {unknown} */ ({ typical: null, ...found }));
}

/**
 * The properties that an ONNX file holds beside its graph.
 * @param {Uint8Array} bytes
 * @returns {Record<string, string>}
 * @throws {GraphError} it is no ONNX file
 */
export function propertiesOf(bytes) {
  try {
    const pairs = [...fields(bytes)].filter(([field]) => field === METADATA);
    return Object.fromEntries(
      pairs.map(([, content]) => {
        const pair = Object.fromEntries(fields(content));
        return [text(pair[1]), text(pair[2])];
      }),
    );
  } catch (error) {
    throw new GraphError("this is no ONNX file, or it is damaged", { cause: error });
  }
}

/**
 * The fields of a Protocol Buffers message that have a length.
 * @param {Uint8Array} bytes
 * @returns {Generator<[number, Uint8Array]>}
 */
function* fields(bytes) {
  let place = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (place >= bytes.length) throw new RangeError("the file ends within a number");
      const byte = bytes[place++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (place < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1) place += 8;
    else if (kind === 5) place += 4;
    else if (kind === 2) {
      const length = varint();
      if (place + length > bytes.length) throw new RangeError("the file is cut short");
      yield [Math.floor(tag / 8), bytes.subarray(place, place + length)];
      place += length;
    } else throw new RangeError(`wire type ${kind}`);
  }
}

/** @param {Uint8Array | undefined} bytes */
function text(bytes) {
  return new TextDecoder().decode(bytes ?? new Uint8Array());
}
