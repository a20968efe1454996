// Runs a peer as one process or as several that share a port, and says when each of them can be reached.

import cluster from "node:cluster";

/** Have `start(port)` serve: in this process, or in PROCESSES of its own where that is more than one. */
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
