/**
 * Return the SHA-256 of bytes in hexadecimal.
 *
 * Browsers offer WebCrypto on secure pages only: HTTPS and localhost. Elsewhere, a library in JavaScript takes its place.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export async function sha256(bytes) {
  const digest = globalThis.crypto?.subtle
    ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))
    : (await import("@noble/hashes/sha2.js")).sha256(bytes);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
