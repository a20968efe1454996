// The operations that every client sends, as each of them is used in an application. A client's script runs them in this order
// and passes what the client returned to `report`. `test_javascript_clients.py` compares that with the same expected results
// for all clients.

export const [url] = process.argv.slice(2);

/** A query with variables. Before the uploads its days have no prices. */
export const AVERAGES = `
  query Averages($origin: String!, $destination: String!) {
    averagePrices(origin: $origin, destination: $destination, dateFrom: "2024-01-01", dateTo: "2024-01-02") {
      day
      averagePrice
      priceCount
    }
  }`;
export const LANE = { origin: 'china', destination: 'europe' };

/** A mutation. Each client applies three prices of the first day. */
export const UPLOAD = `
  mutation Upload($input: UploadPricesInput!) {
    uploadPrices(input: $input) {
      batch { status acceptedCount }
      userErrors { code }
    }
  }`;
export const PRICES = {
  waitMs: 20_000,
  prices: [10, 20, 60].map((price) => ({
    origin: 'CNSGH', destination: 'NLRTM', dateFrom: '2024-01-01', dateTo: '2024-01-01', price,
  })),
};

/** A mutation with a file, which goes out as a multipart form. It applies three prices of the second day. */
export const UPLOAD_FILE = `
  mutation UploadFile($file: Upload!, $input: UploadPriceFileInput) {
    uploadPriceFile(file: $file, input: $input) {
      batch { id status acceptedCount }
      userErrors { code }
    }
  }`;
const LINES = ['origin_code,destination_code,day,price', ...[1, 2, 3].map((price) => `CNSGH,NLRTM,2024-01-02,${price}`)];
export const createFile = () => new File([LINES.join('\n')], 'prices.csv', { type: 'text/csv' });
export const FILE_INPUT = { waitMs: 20_000 };
/** Any web page can send a form without asking the server, so the server requires a header that no form can have. */
export const FORM_HEADERS = { 'GraphQL-Require-Preflight': '1' };

/** A subscription with the ID of the file's batch. The batch is complete, so there is one result. */
export const PROGRESS = `
  subscription Progress($id: ID!) {
    batchProgress(id: $id) { status progress }
  }`;

/** A query that the server refuses before execution. */
export const REFUSED = 'query Refused { unknownField }';

/** Prints the results for the test. */
export const report = (results) => console.log(JSON.stringify(results));
