// Dev server of a front-end application. It forwards the endpoint, so that the page and the API have the same origin.
const target = process.argv[2] ?? 'http://127.0.0.1:8000';

export default {
  server: {
    proxy: {
      // Without `changeOrigin: false`, the short form `'/graphql': target` changes Host, and the server sees a foreign page.
      '/graphql': { target, changeOrigin: false, ws: true },
    },
  },
};
