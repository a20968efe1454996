/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
export type ExampleDataQueryVariables = Exact<{ [key: string]: never; }>;


export type ExampleDataQuery = { dataPeriod: { lastDay: string | null, hasDemoData: boolean } | null, lanes: { edges: Array<{ node: { origin: { key: string }, destination: { key: string } } }> } | null };

export type OverviewQueryVariables = Exact<{ [key: string]: never; }>;


export type OverviewQuery = { dataPeriod: { firstDay: string | null, lastDay: string | null, priceCount: number, hasDemoData: boolean } | null };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}

export const ExampleDataDocument = new TypedDocumentString(`
    query ExampleData {
  dataPeriod {
    lastDay
    hasDemoData
  }
  lanes(first: 2) {
    edges {
      node {
        origin {
          key
        }
        destination {
          key
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<ExampleDataQuery, ExampleDataQueryVariables>;
export const OverviewDocument = new TypedDocumentString(`
    query Overview {
  dataPeriod {
    firstDay
    lastDay
    priceCount
    hasDemoData
  }
}
    `) as unknown as TypedDocumentString<OverviewQuery, OverviewQueryVariables>;