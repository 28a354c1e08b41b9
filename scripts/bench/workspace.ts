/** Workspaces by themselves, as a process of its own: `workspace FOLDER PAIRS` measures ours and a bare `git worktree add` in turn. */
import { workspaceBench } from '@fairlead/daemon/workspaces/workspace.bench';

const [folder, pairs] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await workspaceBench({ folder: folder!, pairs: Number(pairs) }))}\n`);
