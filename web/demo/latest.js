/** Work for a value that changes faster than the work is done. */

/**
 * Return a function that starts `work` in the next frame, with the newest value. Values in between are left out.
 *
 * @template T
 * @param {(value: T) => Promise<void>} work
 * @returns {(value: T) => Promise<void>} Resolves when no value waits.
 */
export function latest(work) {
  let waiting = [];
  let running;
  async function run() {
    try {
      while (waiting.length) {
        await new Promise(requestAnimationFrame);
        const [value] = waiting;
        waiting = [];
        await work(value);
      }
    } finally {
      running = undefined;
    }
  }
  return (value) => {
    waiting = [value];
    return (running ??= run());
  };
}
