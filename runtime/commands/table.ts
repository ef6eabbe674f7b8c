const MIN_WIDTH = 12
const GAP = 3

/** Left-aligned columns, as runc's tables: at least 12 wide, 3 apart, the last one as it is. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(MIN_WIDTH, ...rows.map((row) => (row[column] ?? '').length + GAP)),
  )
  return rows
    .map((row) => {
      const cells = row.map((cell, column) =>
        column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
      )
      return `${cells.join('')}\n`
    })
    .join('')
}
