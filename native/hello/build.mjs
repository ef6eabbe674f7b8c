// @ts-check
/**
 * Makes `dist/hello.tar`: the OCI image archive of one static program. The same sources and compiler give
 * the same bytes.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Header } from 'tar'
import { run, runMain } from '../../scripts/lib/run.mjs'

const HERE = import.meta.dirname
const BUILD = join(HERE, '../../build/hello')
const OUTPUT = join(HERE, '../../dist/hello.tar')

/** What the image is called once it is imported. */
const REFERENCE = 'berth.local/hello:latest'

/** @typedef {{ readonly path: string, readonly mode: number, readonly contents?: Buffer }} Entry without contents: a directory */

const BLOCK_BYTES = 512

/**
 * A tar archive with nothing of this machine in it: times are zero, owners root.
 *
 * @param {readonly Entry[]} entries
 * @returns {Buffer}
 */
function encodeTar(entries) {
  const blocks = entries.flatMap(({ path, mode, contents }) => {
    const header = new Header({
      path: contents === undefined ? `${path}/` : path,
      mode,
      size: contents?.length ?? 0,
      mtime: new Date(0),
      type: contents === undefined ? 'Directory' : 'File',
      uid: 0,
      gid: 0,
    })
    header.encode()
    const padding = Buffer.alloc(
      (BLOCK_BYTES - ((contents?.length ?? 0) % BLOCK_BYTES)) % BLOCK_BYTES,
    )
    return [header.block ?? Buffer.alloc(0), contents ?? Buffer.alloc(0), padding]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)])
}

/** @param {unknown} value */
const encodeJson = (value) => Buffer.from(JSON.stringify(value))

/** @param {Buffer} bytes */
const hexDigest = (bytes) => createHash('sha256').update(bytes).digest('hex')

/**
 * @param {string} mediaType
 * @param {Buffer} bytes
 */
const describe = (mediaType, bytes) => ({
  mediaType,
  digest: `sha256:${hexDigest(bytes)}`,
  size: bytes.length,
})

/**
 * @param {Buffer} program
 * @returns {Buffer} the archive
 * @see image-spec v1.1 image-layout.md
 */
function encodeImage(program) {
  const layer = encodeTar([{ path: 'hello', mode: 0o755, contents: program }])
  const config = encodeJson({
    created: '1970-01-01T00:00:00Z',
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: ['/hello'], WorkingDir: '/', Env: ['PATH=/'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${hexDigest(layer)}`] },
    history: [{ created: '1970-01-01T00:00:00Z', comment: 'native/hello' }],
  })
  const manifest = encodeJson({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: describe('application/vnd.oci.image.config.v1+json', config),
    layers: [describe('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  const index = encodeJson({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...describe('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: {
          'io.containerd.image.name': REFERENCE,
          'org.opencontainers.image.ref.name': 'latest',
        },
      },
    ],
  })
  const blobs = [config, manifest, layer].map((contents) => ({
    path: `blobs/sha256/${hexDigest(contents)}`,
    mode: 0o644,
    contents,
  }))
  return encodeTar([
    { path: 'blobs', mode: 0o755 },
    { path: 'blobs/sha256', mode: 0o755 },
    ...blobs,
    { path: 'index.json', mode: 0o644, contents: index },
    { path: 'oci-layout', mode: 0o644, contents: encodeJson({ imageLayoutVersion: '1.0.0' }) },
  ])
}

await runMain(async () => {
  mkdirSync(BUILD, { recursive: true })
  const program = join(BUILD, 'hello')
  const warnings = ['-Wall', '-Wextra', '-Wconversion', '-Werror']
  await run('g++', [
    ...['-std=c++20', '-Os', ...warnings, '-fno-exceptions', '-fno-rtti'],
    ...['-static', '-s', '-Wl,--gc-sections', '-Wl,--build-id=none'],
    ...[join(HERE, 'hello.cc'), '-o', program],
  ])
  writeFileSync(`${OUTPUT}.new`, encodeImage(readFileSync(program)))
  renameSync(`${OUTPUT}.new`, OUTPUT)
})
