// Stands in for node-gyp-build-optional-packages in the compiled program: lmdb's native part lies beside
// the executable, where nobody but its owner can put it (docs/decisions/0002).
const { dirname, join } = require('node:path')

module.exports = () => {
  const loaded = { exports: {} }
  process.dlopen(loaded, join(dirname(process.execPath), 'lmdb.node'))
  return loaded.exports
}
