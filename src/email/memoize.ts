/**
 * `compute`, a pure function that is mostly called with the same few arguments, with its results
 * kept. Beyond `resultsMax` it forgets them all and begins anew, so that arguments from outside
 * cannot fill the memory.
 */
export function memoize<Argument, Result>(
  compute: (argument: Argument) => Result,
  resultsMax: number,
): (argument: Argument) => Result {
  const results = new Map<Argument, Result>();
  return (argument) => {
    const known = results.get(argument);
    if (known !== undefined) return known;
    if (results.size >= resultsMax) results.clear();
    const result = compute(argument);
    results.set(argument, result);
    return result;
  };
}
