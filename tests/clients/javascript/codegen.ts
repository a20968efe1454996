import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: 'typed/*.ts',
  generates: {
    'typed/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false, persistedDocuments: { hashAlgorithm: 'sha256' } },
    },
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
      Upload: { input: 'File', output: 'never' },
    },
  },
  emitLegacyCommonJSImports: false,
};

export default config;
