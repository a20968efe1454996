import type { CodegenConfig } from '@graphql-codegen/cli';

/** Typed documents of the pages. They are committed, so that a build needs no generator. */
const config: CodegenConfig = {
  schema: '../schema.graphql',
  documents: ['src/**/*.{ts,tsx}', '!src/gql/**'],
  generates: {
    'src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        scalars: {
          Date: 'string',
          DateTime: 'string',
          PriceAmount: { input: 'string | number', output: 'string' },
          Upload: 'File',
        },
      },
    },
  },
};

export default config;
