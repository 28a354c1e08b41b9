#!/usr/bin/env node
import process from 'node:process';
import { runCli } from '@fairlead/shared/kit/cli';
import { relayProgram } from './cli/program.ts';

process.exitCode = await runCli(relayProgram(), process.argv, { stdout: process.stdout, stderr: process.stderr });
