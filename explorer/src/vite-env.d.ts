/// <reference types="vite/client" />

declare module 'graphiql/graphiql.css';
