import type { CodegenConfig } from '@graphql-codegen/cli';

/** Types of the operations in `src/`. A project of its own needs a copy of `schema.graphql`: production has no introspection. */
const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: 'src/*.ts',
  generates: {
    'src/gql/': { preset: 'client', presetConfig: { fragmentMasking: false } },
  },
  config: {
    strictScalars: true,
    useTypeImports: true,
    enumsAsTypes: true,
    futureProofEnums: true,
    scalars: {
      Date: 'string',
      DateTime: 'string',
      PriceAmount: { input: 'string | number', output: 'never' },
      Upload: { input: 'File | Blob', output: 'never' },
    },
  },
  emitLegacyCommonJSImports: false,
};

export default config;
