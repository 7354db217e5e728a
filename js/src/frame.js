/** The descriptors of one window, with its place in time. */
export class Frame {
  /**
   * @param {{rate: number, window: number}} facts of the graph
   * @param {number} units of the bottleneck
   * @param {{index: number, position: number, silent: boolean, gap: boolean, loudness: number, values: Float32Array}} found
   */
  constructor({ rate, window }, units, { index, position, silent, gap, loudness, values }) {
    /** Number of the window, from 0; lost windows are counted too. */
    this.index = index;
    /** First sample of the window, lost samples included. */
    this.position = position;
    /** Start of the window, in seconds of the source. */
    this.start = position / rate;
    /** End of the window, in seconds of the source. */
    this.end = (position + window) / rate;
    /** Whether its peak is below one step of 16-bit audio. */
    this.silent = silent;
    /** Whether it touches lost samples, for which zeros stand in. */
    this.gap = gap;
    /** Root mean square of the window before any gain, in dB of full scale; -200 for digital silence. */
    this.loudness = loudness;
    /** @type {Float32Array} Bottleneck, then errors. */
    this.values = values;
    /** @type {Float32Array} A view of `values`. */
    this.bottleneck = values.subarray(0, units);
    /** @type {Float32Array} A view of `values`, one for each band. */
    this.error = values.subarray(units);
  }

  /**
   * The frame as EdgeVoice in Python writes it; `time` and `latency` are null but for live frames.
   * @returns {Record<string, unknown>}
   */
  toJSON() {
    const { index, position, start, end, silent, gap, loudness, bottleneck, error } = this;
    const lists = { bottleneck: Array.from(bottleneck), error: Array.from(error) };
    return { index, position, start, end, silent, gap, loudness, time: null, latency: null, ...lists };
  }
}

/** A frame of a microphone. */
export class LiveFrame extends Frame {
  /** When the last sample of its window arrived, in seconds since 1970. */
  time = 0;
  /** The same by `performance.now()`, in seconds. */
  captured = 0;
  /** Seconds from then until the frame was given out. */
  latency = 0;

  /** @returns {Record<string, unknown>} */
  toJSON() {
    return { ...super.toJSON(), time: this.time, latency: this.latency };
  }
}

const FUNCTIONALS = ["mean", "std", "skewness", "kurtosis"];
const DEGENERATE = 1e-7; // a column is constant up to this standard deviation, relative to its mean

/**
 * Static features of some frames: mean, population standard deviation, biased skewness and excess kurtosis of each
 * descriptor, the four of the bottleneck before the four of the errors. `functionalNames` has their names.
 * @param {readonly {bottleneck: ArrayLike<number>, error: ArrayLike<number>}[]} frames
 * @returns {Float64Array} (4 descriptors,)
 * @throws {RangeError} there is no frame
 */
export function functionals(frames) {
  if (!frames.length) throw new RangeError("functionals of no frames: at least one is needed");
  const groups = [frames.map((frame) => frame.bottleneck), frames.map((frame) => frame.error)];
  return Float64Array.from(
    groups.flatMap((rows) => {
      const columns = Array.from(rows[0], (_, k) => moments(rows.map((row) => row[k])));
      return FUNCTIONALS.flatMap((_, which) => columns.map((column) => column[which]));
    }),
  );
}

/**
 * Names of the numbers that `functionals` returns, as Python has them.
 * @param {readonly string[]} names of the descriptors: `metadata.names` of a stream
 * @returns {string[]}
 */
export function functionalNames(names) {
  const units = unitsOf(names);
  return [names.slice(0, units), names.slice(units)].flatMap((group) =>
    FUNCTIONALS.flatMap((functional) => group.map((name) => `${functional}_${name}`)),
  );
}

/**
 * How many of the descriptors are those of the bottleneck, which come first.
 * @param {readonly string[]} names
 */
export function unitsOf(names) {
  return names.filter((name) => name.startsWith("bottleneck")).length;
}

/** @param {number[]} column */
function moments(column) {
  const mean = column.reduce((sum, x) => sum + x, 0) / column.length;
  const [second, third, fourth] = [2, 3, 4].map((k) => column.reduce((sum, x) => sum + (x - mean) ** k, 0) / column.length);
  const constant = second <= (DEGENERATE * mean) ** 2;
  return [mean, Math.sqrt(second), constant ? 0 : third / second ** 1.5, constant ? 0 : fourth / second ** 2 - 3];
}
