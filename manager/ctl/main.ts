export async function main(_args: readonly string[]): Promise<number> {
  await Promise.resolve()
  process.stderr.write('not built yet\n')
  return 1
}
