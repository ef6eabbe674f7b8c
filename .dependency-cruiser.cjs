// @ts-check
/**
 * The layers of DESIGN.md ("Folders, and what each may import") as rules. `npm run check` holds the code
 * to them, and `scripts/test/layers.test.mjs` shows that they do hold it.
 */

/** What may be imported, by folder, as regular expressions on paths; a folder may always import itself. */
const MAY_IMPORT = {
  proto: [],
  native: ['^proto/errors/'],
  runtime: ['^native/', '^proto/errors/'],
  shim: ['^proto/', '^native/', '^runtime/index\\.ts$'],
  manager: ['^proto/', '^native/'],
  conformance: ['^proto/'],
  bench: ['^conformance/(harness|images)/'],
  scripts: ['^proto/', '^conformance/harness/'],
}

/** A C++ part's build script belongs to the repository's scripts, wherever it lies. */
const BUILD_SCRIPT = '^native/[^/]+/build\\.mjs$'

const folders = Object.keys(MAY_IMPORT)

const layers = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  name: `layer-${folder}`,
  comment: `${folder}/ imports nothing of ours but ${[`${folder}/`, ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: `^${folder}/`, pathNot: BUILD_SCRIPT },
  to: {
    path: [`^(${folders.join('|')})/`, '^main\\.ts$'],
    pathNot: [`^${folder}/`, ...allowed],
  },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layers.map((rule) => ({ ...rule, severity: /** @type {const} */ ('error') })),
    {
      name: 'main-enters-programs',
      comment: 'main.ts only enters the programs',
      severity: 'error',
      from: { path: '^main\\.ts$' },
      to: {
        path: `^(${folders.join('|')})/`,
        pathNot: ['^runtime/main\\.ts$', '^shim/main\\.ts$', '^manager/(ctl/)?main\\.ts$'],
      },
    },
    {
      name: 'no-npm-per-container',
      comment:
        'runtime and shim are paid for once per container: they load no npm package but the wire reader and writer (DESIGN 15)',
      severity: 'error',
      from: { path: '^(runtime|shim)/', pathNot: '/test/' },
      to: { path: 'node_modules/', pathNot: 'node_modules/@bufbuild/protobuf/', reachable: true },
    },
    {
      name: 'no-npm-in-native',
      comment: 'native/ is loaded by runtime and shim',
      severity: 'error',
      from: { path: '^(native|proto/errors)/', pathNot: ['/test/', BUILD_SCRIPT] },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer'] },
    },
    {
      name: 'no-development-packages',
      comment: 'what is shipped uses no devDependency',
      severity: 'error',
      from: {
        path: '^(proto|native|runtime|shim|manager|main\\.ts)',
        pathNot: ['/test/', BUILD_SCRIPT],
      },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'a package is named in package.json',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'undetermined'] },
    },
    {
      name: 'no-tests-in-programs',
      comment: 'code does not import tests',
      severity: 'error',
      from: { pathNot: '/test/' },
      to: { path: '/test/' },
    },
    {
      name: 'no-cycles',
      comment: 'no import cycles, not even of types',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-missing-modules',
      comment: 'an import leads to a file',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules'] },
    exclude: { path: ['^(dist|build)/'] },
    moduleSystems: ['es6', 'cjs'],
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
    },
  },
}
