import assert from 'node:assert/strict'
import { formatReference, parseReference } from '../reference.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}`

describe('parseReference', () => {
  const normalised: readonly (readonly [string, string])[] = [
    ['debian', 'docker.io/library/debian:latest'],
    ['debian:12', 'docker.io/library/debian:12'],
    ['team/app', 'docker.io/team/app:latest'],
    ['docker.io/debian', 'docker.io/library/debian:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:1.0-rc.1', 'localhost:5000/a/b/c:1.0-rc.1'],
    ['127.0.0.1:5000/app', '127.0.0.1:5000/app:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    ['quay.io/org/app_x/y__z-w', 'quay.io/org/app_x/y__z-w:latest'],
    [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`],
    [`r.example/a:1@${DIGEST}`, `r.example/a:1@${DIGEST}`],
  ]
  for (const [raw, full] of normalised) {
    it(`takes ${raw} as ${full}`, () => {
      assert.equal(formatReference(parseReference(raw)), full)
    })
  }

  const malformed = [
    '',
    ':1',
    'Debian',
    'r.example/',
    'r.example//a',
    'r.example/A',
    'r.example/a..b',
    'r.example/../a',
    'r.example/a:',
    'r.example/a:.1',
    `r.example/a:${'t'.repeat(129)}`,
    `r.example/${'a'.repeat(256)}`,
    'r.example/a@sha256:12',
    `r.example/a@sha256:../../${'a'.repeat(58)}`,
    `r.example/a@${DIGEST}@${DIGEST}`,
    'r.example:port/a',
    '-r.example/a',
    'r.example/a b',
    'user:password@r.example/a',
  ]
  for (const raw of malformed) {
    it(`refuses ${JSON.stringify(raw.slice(0, 40))}`, () => {
      assert.throws(() => parseReference(raw), { code: 'invalidArgument' })
    })
  }
})
