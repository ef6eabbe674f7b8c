import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { freePort } from '../harness/free-port.ts'
import { Manager, rows } from '../harness/manager.ts'
import { describe as explain, runOk } from '../harness/process.ts'
import { type Registry, startRegistry } from '../harness/registry.ts'
import { startScriptedRegistry } from '../harness/scripted-registry.ts'
import { treeDifference, treeLines, withoutUnpackTimes } from '../harness/tree-hash.ts'
import { until } from '../harness/until.ts'
import { Workspace } from '../harness/workspace.ts'
import { IMAGE_TIMEOUT_MS, type RealImage, realImage } from '../images/image-cache.ts'
import { BUSYBOX, assertRefused, describeManager, isOurs, kind } from './subject.ts'

interface Descriptor {
  readonly digest: string
  readonly size: number
}

interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

function readManifest(layout: string): Manifest & { readonly digest: string } {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: Descriptor[]
  }
  const digest = index.manifests[0]?.digest ?? ''
  return { digest, ...(JSON.parse(readFileSync(blobPath(layout, digest), 'utf8')) as Manifest) }
}

const blobPath = (layout: string, digest: string): string =>
  join(layout, 'blobs', 'sha256', digest.slice(7))

/** The tree that a manager unpacked, through a mount that ctr makes from what the snapshotter answers. */
async function unpackedTree(
  manager: Manager,
  workspace: Workspace,
  reference: string,
  image: RealImage,
): Promise<readonly string[]> {
  const target = workspace.makeDir(`mounted-${manager.kind}`)
  await manager.ctrOk(['images', 'mount', reference, target])
  try {
    // Whatever is newer than the image got its time by the unpacking.
    return await treeLines(target, statSync(image.layout).mtimeMs)
  } finally {
    await manager.ctrOk(['images', 'unmount', '--rm', target])
  }
}

describeManager(
  'containerd API: a real image from a registry',
  (subject) => {
    let image: RealImage
    let registry: Registry
    let reference = ''

    before('the registry serves the image, the manager pulls it', async function () {
      this.timeout(IMAGE_TIMEOUT_MS)
      image = await realImage()
      registry = await startRegistry(subject().workspace, image.registryStore)
      reference = `${registry.host}/debian:test`
      await subject().manager.ctrOk(['images', 'pull', '--plain-http', reference], {
        timeoutMs: 120_000,
      })
    })

    it('images ls shows name, type, digest, size and platform', async () => {
      const { digest } = readManifest(image.layout)
      const row = rows((await subject().manager.ctrOk(['images', 'ls'])).stdout).find(
        ([name]) => name === reference,
      )
      assert.deepEqual(row?.slice(0, 3), [
        reference,
        'application/vnd.oci.image.manifest.v1+json',
        digest,
      ])
      assert.ok(row.includes('linux/amd64'))
    })

    it('content ls has every blob with its size', async () => {
      const { stdout } = await subject().manager.ctrOk(['content', 'ls', '--quiet'])
      const { digest, config, layers } = readManifest(image.layout)
      assert.deepEqual(
        stdout.trim().split('\n').toSorted(),
        [digest, config.digest, ...layers.map((layer) => layer.digest)].toSorted(),
      )
    })

    it('content get gives back the bytes of every blob', async () => {
      const { manager } = subject()
      const { config, layers } = readManifest(image.layout)
      const small = [config, ...layers].filter(({ size }) => size < 1_000_000)
      assert.ok(small.length >= 4)
      for (const { digest } of small) {
        const { stdout } = await runOk('sh', [
          '-c',
          `"$@" | sha256sum`,
          'sh',
          ...flatten(manager.ctrCommand(['content', 'get', digest])),
        ])
        assert.equal(`sha256:${stdout.split(' ')[0] ?? ''}`, digest)
      }
    })

    it('snapshots ls has the chain of layers', async () => {
      const { stdout } = await subject().manager.ctrOk(['snapshots', 'ls'])
      const committed = rows(stdout).filter((row) => row.at(-1) === 'Committed')
      assert.deepEqual(committed.map(([key]) => key).toSorted(), chainIds(image).toSorted())
      const parents = new Map(
        committed.map((row) => [row[0], row.length === 3 ? row[1] : undefined]),
      )
      const chain = chainIds(image)
      chain.forEach((id, position) => {
        assert.equal(parents.get(id), chain[position - 1])
      })
    })

    it('the unpacked tree equals the one that containerd makes', async function () {
      this.timeout(240_000)
      await using peerPlace = new Workspace()
      const peer = peerPlace.use(new Manager(peerPlace, 'containerd'))
      await peer.start()
      await peer.ctrOk(['images', 'pull', '--plain-http', reference], { timeoutMs: 120_000 })
      const expected = await unpackedTree(peer, peerPlace, reference, image)
      const found = await unpackedTree(subject().manager, subject().workspace, reference, image)
      assert.ok(expected.length > 5000)
      assert.deepEqual(treeDifference(...withoutUnpackTimes(expected, found)), [])
    })

    it('a container of it has what the layers promise', async () => {
      const script = `
        set -e
        . /etc/os-release; echo "$ID $VERSION_ID"
        cd /things
        echo opaque $(ls opaque)
        test ! -e single && test ! -e whole && test ! -e deep/linked-c && echo whiteouts
        test linked-a -ef linked-b && test linked-to-lower -ef /etc/debian_version && echo hardlinks
        stat -c '%a %u:%g %F %t:%T' setuid setgid char block fifo owned
        readlink replaced-by-symlink; cat replaced-by-file replaced-by-directory/inside
        stat -c '%Y %s' empty sparse`
      const { stdout } = await subject().manager.ctrOk([
        'run',
        '--rm',
        reference,
        subject().newId(),
        'sh',
        '-c',
        script,
      ])
      assert.deepEqual(stdout.trim().split('\n').slice(0, -1), [
        'debian 12',
        'opaque both new',
        'whiteouts',
        'hardlinks',
        '4755 0:0 regular file 0:0',
        '2755 0:42 regular file 0:0',
        '666 0:0 character special file 1:3',
        '644 0:0 block special file 7:c8',
        '640 0:0 fifo 0:0',
        '604 123456:654321 regular file 0:0',
        'sticky',
        'now-a-file',
        'inside',
        '0 0',
      ])
    })

    it('a file capability of the image works', async () => {
      const { manager } = subject()
      // A user has no capability; the file gives two, which no_new_privs would withhold.
      const { stdout } = await manager.ctrOk([
        'run',
        '--rm',
        '--allow-new-privs',
        reference,
        subject().newId(),
        'setpriv',
        '--reuid=1000',
        '--clear-groups',
        'bash',
        '-c',
        'exec -a busybox /things/capable grep CapEff /proc/self/status',
      ])
      assert.equal(stdout.trim(), 'CapEff:\t0000000000002400')
    })

    it('takes a layer that ends without padding, as umoci insert writes it', async () => {
      const { manager } = subject()
      const unpadded = `${registry.host}/unpadded:test`
      try {
        await manager.ctrOk(['images', 'pull', '--plain-http', unpadded])
        const { stdout } = await manager.ctrOk([
          'run',
          '--rm',
          unpadded,
          subject().newId(),
          'cat',
          '/inserted/file',
        ])
        assert.equal(stdout, 'inserted\n')
      } finally {
        await manager.ctr(['images', 'rm', '--sync', unpadded])
      }
    })

    it('tag gives the image a second name, rm takes it away again', async () => {
      const { manager } = subject()
      const name = `localhost/${subject().newId()}:tag`
      await manager.ctrOk(['images', 'tag', reference, name])
      assert.match(
        (await manager.ctrOk(['images', 'ls', '-q'])).stdout,
        new RegExp(`^${name}$`, 'm'),
      )
      assertRefused(await manager.ctr(['images', 'tag', reference, name]), /already exists/)
      await manager.ctrOk(['images', 'rm', name])
      assert.doesNotMatch((await manager.ctrOk(['images', 'ls', '-q'])).stdout, new RegExp(name))
      assert.match((await manager.ctrOk(['images', 'ls', '-q'])).stdout, /debian:test/)
    })

    it('images check finds it complete and unpacked', async () => {
      const { stdout } = await subject().manager.ctrOk(['images', 'check'])
      assert.match(stdout, new RegExp(`${reference}\\s.*complete \\(\\d+/\\d+\\).*true`))
    })

    it('export and import give the same image', async () => {
      const { manager, workspace } = subject()
      const archive = workspace.path('export.tar')
      await manager.ctrOk(['images', 'export', archive, reference])
      const other = subject().newId()
      await manager.ctrOk(['--namespace', other, 'images', 'import', '--no-unpack', archive])
      const row = rows((await manager.ctrOk(['--namespace', other, 'images', 'ls'])).stdout)[0]
      assert.equal(row?.[2], readManifest(image.layout).digest)
      await manager.ctrOk(['--namespace', other, 'images', 'rm', '--sync', row[0] ?? ''])
      await until(
        'the namespace to be empty',
        async () => (await manager.ctr(['namespaces', 'rm', other])).exitCode === 0,
      )
    })

    it('pulling again downloads nothing and succeeds', async () => {
      const { manager } = subject()
      await manager.ctrOk(['images', 'pull', '--plain-http', reference])
      assert.equal(
        (await manager.ctrOk(['content', 'ls', '-q'])).stdout.trim().split('\n').length,
        readManifest(image.layout).layers.length + 2,
      )
    })

    it('rm --sync frees content and snapshots', async () => {
      const { manager } = subject()
      await manager.ctrOk(['images', 'rm', '--sync', reference])
      assert.equal((await manager.ctrOk(['images', 'ls', '-q'])).stdout, '')
      await until(
        'the content to be freed',
        async () => (await manager.ctrOk(['content', 'ls', '-q'])).stdout === '',
      )
      await until(
        'the snapshots to be freed',
        async () => rows((await manager.ctrOk(['snapshots', 'ls'])).stdout).length === 0,
      )
    })
  },
  { withImage: false },
)

describeManager('containerd API: failures of a pull', (subject) => {
  it('an unknown image: says so, and keeps nothing', async () => {
    const { manager, workspace } = subject()
    const { host } = await startRegistry(workspace, (await realImage()).registryStore)
    const reference = `${host}/no/such:image`
    assertRefused(
      await manager.ctr(['images', 'pull', '--plain-http', reference]),
      /no\/such:image/,
      /not found/,
    )
    assert.equal((await manager.ctrOk(['images', 'ls', '-q'])).stdout.includes(reference), false)
  })

  it('the registry is down: says where', async () => {
    const host = `127.0.0.1:${String(await freePort())}`
    assertRefused(
      await subject().manager.ctr(['images', 'pull', '--plain-http', `${host}/debian:test`]),
      new RegExp(host),
      /refused/,
    )
  })

  it('import of something that is no image archive', async () => {
    const { manager } = subject()
    const before = (await manager.ctrOk(['images', 'ls', '-q'])).stdout
    assertRefused(
      await manager.ctr(['images', 'import', '/etc/passwd']),
      /tar|archive|EOF|unrecognized/i,
    )
    assert.equal((await manager.ctrOk(['images', 'ls', '-q'])).stdout, before)
  })

  it('rm and tag of an unknown image', async () => {
    const { manager } = subject()
    const { stderr } = await manager.ctr(['images', 'rm', 'localhost/unknown:x'])
    assert.match(stderr, /localhost\/unknown:x.*not found/)
    assertRefused(
      await manager.ctr(['images', 'tag', 'localhost/unknown:x', 'localhost/y:z']),
      /not found/,
    )
  })

  it('content get of an unknown and of a malformed digest', async () => {
    const { manager } = subject()
    assertRefused(await manager.ctr(['content', 'get', `sha256:${'0'.repeat(64)}`]), /not found/)
    assertRefused(await manager.ctr(['content', 'get', 'sha256:short']), /invalid|digest/)
  })
})

describeManager(
  'containerd API: a registry that sends a wrong manifest',
  (subject) => {
    it('a manifest that is not what was asked for by digest', async () => {
      const { manager } = subject()
      const { layout } = await realImage()
      const { digest } = readManifest(layout)
      await using registry = await startScriptedRegistry(layout)
      registry.spoil = (asked, body) =>
        asked === digest ? Buffer.from(body.toString().replace('{', '{ ')) : body
      // A namespace of its own: containerd 1.6 keeps a manifest of the wrong size as an unfinished download,
      // and every later pull of it fails on that.
      const namespace = subject().newId()
      const pull = [
        '--namespace',
        namespace,
        'images',
        'pull',
        '--plain-http',
        `${registry.host}/debian@${digest}`,
      ]
      assertRefused(await manager.ctr(pull), /digest|size|sha256:\w+.*sha256:/)
      // The registry is healed: what was wrong must not stay in the way. containerd 1.6 keeps it as an unfinished
      // download, on which later pulls fail.
      registry.spoil = (_, body) => body
      const healed = await manager.ctr(pull, { timeoutMs: 120_000 })
      assert.ok(
        !isOurs || healed.exitCode === 0,
        explain(healed, 'the wrong manifest stays in the way'),
      )
    })
  },
  { withImage: false },
)

describeManager(
  'containerd API: a registry that sends a wrong layer',
  (subject) => {
    it('a layer with another digest: says both digests, and keeps nothing of it', async () => {
      const { manager } = subject()
      const { layout } = await realImage()
      const { layers } = readManifest(layout)
      const victim = layers.find(({ size }) => size < 1_000_000)?.digest ?? ''
      await using registry = await startScriptedRegistry(layout)
      let sent = ''
      registry.spoil = (digest, body) => {
        if (digest !== victim) return body
        const bad = Buffer.from(body)
        bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 0xff
        sent = `sha256:${createHash('sha256').update(bad).digest('hex')}`
        return bad
      }
      const reference = `${registry.host}/debian:test`
      const result = await manager.ctr(['images', 'pull', '--plain-http', reference])
      assertRefused(result, new RegExp(victim), new RegExp(sent))
      const listed = (await manager.ctrOk(['content', 'ls', '-q'])).stdout
      assert.equal(listed.includes(victim) || listed.includes(sent), false)
      assert.doesNotMatch(
        (await manager.ctrOk(['images', 'ls', '-q'])).stdout,
        new RegExp(reference),
      )
      // Healed, as above; containerd 1.6 sometimes recovers and sometimes does not.
      registry.spoil = (_, body) => body
      const healed = await manager.ctr(['images', 'pull', '--plain-http', reference], {
        timeoutMs: 120_000,
      })
      assert.ok(
        !isOurs || healed.exitCode === 0,
        explain(healed, 'the wrong layer stays in the way'),
      )
    })
  },
  { withImage: false },
)

describe(`containerd API: the disk is full [${kind}]`, function () {
  this.timeout(IMAGE_TIMEOUT_MS)

  it('a pull that does not fit fails with a sentence, and the manager goes on', async () => {
    const image = await realImage()
    await using workspace = new Workspace()
    const root = workspace.makeDir('small')
    await runOk('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'small', root])
    workspace.defer(async () => {
      await runOk('umount', [root])
    })
    const manager = workspace.use(
      new Manager(workspace, kind, { root, state: workspace.makeDir('state') }),
    )
    await manager.start()
    const registry = await startRegistry(workspace, image.registryStore)
    assertRefused(
      await manager.ctr(['images', 'pull', '--plain-http', `${registry.host}/debian:test`]),
      /no space left/,
    )
    const largest =
      readManifest(image.layout).layers.toSorted((a, b) => b.size - a.size)[0]?.digest ?? ''
    assert.equal((await manager.ctrOk(['content', 'ls', '-q'])).stdout.includes(largest), false)
    assert.equal((await manager.ctrOk(['images', 'ls', '-q'])).stdout.includes(BUSYBOX), false)
  })
})

/** @see image-spec config.md#layer-chainid */
function chainIds(image: RealImage): readonly string[] {
  const { config } = readManifest(image.layout)
  const { rootfs } = JSON.parse(readFileSync(blobPath(image.layout, config.digest), 'utf8')) as {
    rootfs: { diff_ids: string[] }
  }
  const chain: string[] = []
  for (const diffId of rootfs.diff_ids) {
    const parent = chain.at(-1)
    chain.push(
      parent === undefined
        ? diffId
        : `sha256:${createHash('sha256').update(`${parent} ${diffId}`).digest('hex')}`,
    )
  }
  return chain
}

function flatten([file, args]: readonly [string, readonly string[]]): readonly string[] {
  return [file, ...args]
}
