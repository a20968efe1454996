// Runs a peer as one process or as several that share a port, and prints a line when each of them is ready.

import cluster from "node:cluster";

/** Run `start(port)` in this process, or in PROCESSES child processes if that is more than one. */
export async function serve(start) {
  const processes = Number(process.env.PROCESSES);
  if (processes > 1 && cluster.isPrimary) {
    for (let number = 0; number < processes; number++) cluster.fork();
    cluster.on("listening", (_worker, address) => announce(address.port));
    cluster.on("exit", () => process.exit(1));
    process.on("SIGTERM", () => {
      cluster.removeAllListeners("exit");
      for (const worker of Object.values(cluster.workers)) worker.kill();
    });
    return;
  }
  const port = await start(0);
  if (cluster.isPrimary) announce(port);
  else process.on("disconnect", () => process.exit());
}

function announce(port) {
  console.log(`ready http://127.0.0.1:${port}`);
}
