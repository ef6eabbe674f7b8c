/** The candidate with the smallest edit distance, for "did you mean". */
export function nearest(word: string, candidates: readonly string[]): string {
  const scored = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(word, candidate),
  }))
  scored.sort((a, b) => a.distance - b.distance)
  return scored[0]?.candidate ?? ''
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1]
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + (isSame ? 0 : 1),
        ),
      )
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
