import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@fairlead/e2e/rig/programs';
import { operationsText } from './operations-reference.ts';

writeFileSync(join(ROOT, 'docs', 'operations.md'), operationsText());
process.stdout.write('docs/operations.md is what the tables say\n');
