// @ts-check
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

/**
 * Every disabled rule says why: `// eslint-disable-next-line rule -- reason`.
 *
 * @type {import('eslint').Rule.RuleModule}
 */
const disableReason = {
  meta: { type: 'suggestion', messages: { missing: 'say why after `--`' } },
  create(context) {
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          if (!/^\s*eslint-disable/.test(comment.value) || /\s--\s+\S/.test(comment.value)) continue
          if (comment.loc) context.report({ loc: comment.loc, messageId: 'missing' })
        }
      },
    }
  },
}

export default defineConfig(
  globalIgnores(['build/', 'dist/', '**/generated/']),
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { berth: { rules: { 'disable-reason': disableReason } } },
    rules: {
      'berth/disable-reason': 'error',
      'no-console': 'error',
      'no-restricted-globals': [
        'error',
        {
          name: 'Bun',
          message: 'the source is Node-API only, so that the engine stays replaceable (DESIGN 1)',
        },
      ],
      eqeqeq: 'error',
      'no-else-return': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts', '**/*.mjs', '**/*.js'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      // Numbers, booleans and 64-bit numbers read well in a message; objects and undefined do not.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allow: [{ from: 'lib', name: 'bigint' }] },
      ],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      // `() => socket.destroy()` is how a callback that returns nothing is written.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      // A method that is part of an asynchronous port may have nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // `while (true)` with a return inside is the plainest way to write a read loop.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: { string: true } },
      ],
      // A typed client's `call<Response>()` names its result only once.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // Enumerations of the protocol are numbers on the wire; comparing them with numbers is the point.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
    },
  },
  {
    // node:assert and mocha: what is described returns nothing, and bodies may be empty on purpose.
    files: ['**/test/**', 'conformance/**'],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-floating-promises': ['error'],
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs' },
    rules: { 'no-undef': 'off' },
  },
  {
    // Scripts for the person at the terminal are written in JavaScript with types in comments.
    files: ['**/*.mjs', '**/*.js'],
    rules: {
      '@typescript-eslint/no-invalid-void-type': 'off',
      // The rules do not see a cast that is written in a comment; the compiler does.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
    },
  },
)
