/**
 * Text with gaps. A letter is written with markers in place of its values; the text is then cut at
 * the markers once, and each mail only puts its values between the cuts. A value is never looked
 * through for markers, so it cannot be taken for one.
 */
export interface Slotted {
  /** One more than there are slots. */
  readonly pieces: readonly string[];
  /** For each gap the number of its value. */
  readonly slots: readonly number[];
}

/** Noncharacters of Unicode: no text that means something has them. */
const marker = /\uFDD0(\d+)\uFDD1/;

export function markerOf(slot: number): string {
  return `\uFDD0${slot}\uFDD1`;
}

/** For text that is no value, such as the name of the application. */
export function withoutMarkers(text: string): string {
  return text.replace(/[\uFDD0\uFDD1]/g, "");
}

export function cutAtMarkers(text: string): Slotted {
  const parts = text.split(marker);
  return {
    pieces: parts.filter((_part, index) => index % 2 === 0),
    slots: parts.filter((_part, index) => index % 2 === 1).map(Number),
  };
}

export function fillSlots({ pieces, slots }: Slotted, values: readonly string[]): string {
  let text = pieces[0] ?? "";
  for (let at = 0; at < slots.length; at += 1) {
    text += (values[slots[at] ?? 0] ?? "") + (pieces[at + 1] ?? "");
  }
  return text;
}
