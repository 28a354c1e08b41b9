/** The ledger by itself, as a process of its own: `ledger FOLDER PAIRS` measures it and bare better-sqlite3 in turn. */
import { ledgerBench } from '@fairlead/daemon/ledger/ledger.bench';

const [folder, pairs] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await ledgerBench({ folder: folder!, pairs: Number(pairs) }))}\n`);
