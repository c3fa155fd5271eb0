/** RFC 5322, 2.1.1, without the CRLF: what a line should keep to, and what it must. */
export const lineCharsMax = 78;
export const lineBytesMax = 998;

/**
 * A header field, folded before white space (RFC 5322, 2.2.3) so that its lines have at most 78
 * characters where that is possible: what has no white space stays whole on a line of its own.
 * Taking out the CRLFs gives the field as it was, so a signature over it in either form holds.
 */
export function foldField(name: string, value: string): string {
  return foldPieces(`${name}:`, ` ${value}`.match(/[ \t]+[^ \t]+/g) ?? []);
}

/**
 * Puts pieces one after the other, and a CRLF between two where the line would grow too long. A
 * piece that begins a line must begin with white space: a space is put there where it has none.
 */
export function foldPieces(start: string, pieces: Iterable<string>): string {
  let field = start;
  let lineChars = start.length;
  for (const piece of pieces) {
    if (lineChars + piece.length <= lineCharsMax) {
      field += piece;
      lineChars += piece.length;
      continue;
    }
    const line = /^[ \t]/.test(piece) ? piece : ` ${piece}`;
    field += `\r\n${line}`;
    lineChars = line.length;
  }
  return field;
}
