/**
 * `user[:group]` → ids, by the image's own passwd and group files.
 *
 * @see security.md S-02, S-44: digits are an id or an error, never a name
 */
import { PlatformError } from '../../proto/errors/platform-error.ts'
import type { ContainerUser } from './oci-spec.ts'

/** The content of the image's files; empty when there is none. */
export interface UserDatabase {
  readonly passwd: string
  readonly group: string
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

const DIGITS = /^[0-9]+$/
/** Higher ones wrap to negative numbers in what handles them next. */
const MAX_ID = 2n ** 31n - 1n

/** @throws invalidArgument for ids out of range, notFound for names the image does not have */
export function resolveUser(text: string, database: UserDatabase): ContainerUser {
  const at = text.indexOf(':')
  const userText = at < 0 ? text : text.slice(0, at)
  const groupText = at < 0 ? '' : text.slice(at + 1)
  const accounts = parsePasswd(database.passwd)
  const groups = parseGroup(database.group)
  const { uid, account } = findUser(userText === '' ? '0' : userText, accounts)
  const gid = groupText === '' ? (account?.gid ?? 0) : findGroup(groupText, groups)
  const memberOf = groups
    .filter(({ members }) => account !== undefined && members.includes(account.name))
    .map((group) => group.gid)
  // An explicit group is the only one, as with `docker run --user`.
  const additional = groupText === '' ? [gid, ...memberOf] : [gid]
  return { uid, gid, additionalGids: [...new Set(additional)] }
}

function findUser(
  text: string,
  accounts: readonly PasswdEntry[],
): { uid: number; account: PasswdEntry | undefined } {
  if (DIGITS.test(text)) {
    const uid = parseId(text, 'user')
    return { uid, account: accounts.find((entry) => entry.uid === uid) }
  }
  const account = accounts.find(({ name }) => name === text)
  if (account === undefined) throw unknownName('user', text, '/etc/passwd')
  return { uid: account.uid, account }
}

function findGroup(text: string, groups: readonly GroupEntry[]): number {
  if (DIGITS.test(text)) return parseId(text, 'group')
  const group = groups.find(({ name }) => name === text)
  if (group === undefined) throw unknownName('group', text, '/etc/group')
  return group.gid
}

function parseId(digits: string, what: string): number {
  const id = BigInt(digits)
  if (id > MAX_ID) {
    throw new PlatformError('invalidArgument', {
      action: `read the ${what} id`,
      found: digits,
      wanted: `at most ${String(MAX_ID)}`,
    })
  }
  return Number(id)
}

function unknownName(what: string, name: string, file: string): PlatformError {
  return new PlatformError('notFound', {
    action: `find ${what}`,
    subject: JSON.stringify(name),
    found: `no such ${what} in the image's ${file}`,
  })
}

/** Lines that are not as they should be are left out, as the C library does. */
function parsePasswd(text: string): readonly PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    const ids = [idOrUndefined(uid), idOrUndefined(gid)] as const
    if (name === undefined || name === '' || ids[0] === undefined || ids[1] === undefined) return []
    return [{ name, uid: ids[0], gid: ids[1] }]
  })
}

function parseGroup(text: string): readonly GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , rawGid, members] = line.split(':')
    const gid = idOrUndefined(rawGid)
    if (name === undefined || name === '' || gid === undefined) return []
    return [{ name, gid, members: (members ?? '').split(',').filter((member) => member !== '') }]
  })
}

function idOrUndefined(text: string | undefined): number | undefined {
  return text !== undefined && DIGITS.test(text) && BigInt(text) <= MAX_ID
    ? Number(text)
    : undefined
}
