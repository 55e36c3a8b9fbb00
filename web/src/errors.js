/**
 * Errors that mnistgen foresees. Each has a machine-readable `code`, the one of Python's error for the same problem.
 *
 * `message` says what is wrong and what is valid, then what to do.
 */

/** Base class of all errors that mnistgen foresees. */
export class MnistgenError extends Error {
  /**
   * @param {string} problem What is wrong and what is valid, without a full stop.
   * @param {{ code: string, remedy?: string, cause?: unknown }} options `remedy` says what to do, without a full stop.
   */
  constructor(problem, { code, remedy = "", cause }) {
    super(
      [problem, remedy]
        .filter(Boolean)
        .map((part) => `${part.replace(/\.$/, "")}.`)
        .join(" "),
      { cause },
    );
    this.name = new.target.name;
    this.problem = problem;
    /** Empty if a valid value is all that is needed. */
    this.remedy = remedy;
    /** Name of the problem in kebab-case. Programs should test this instead of the message. */
    this.code = code;
  }
}

/** An argument is invalid. */
export class InputError extends MnistgenError {}

/** A model file or the manifest is missing, damaged, or has a schema that this version cannot read. */
export class ArtifactError extends MnistgenError {}

/** ONNX Runtime is not installed, or cannot start. */
export class MissingPackageError extends MnistgenError {}

/** ONNX Runtime fails during a run. */
export class DeviceError extends MnistgenError {}

/** An image was not legible after the maximum number of attempts; no images are returned. */
export class IllegibleError extends MnistgenError {}
