#!/bin/sh
':' //; exec node -- "$0" "$@"
// A shell starts Node with `--`: without it Node 20 takes --env-file for an option of its own, wherever it stands.
// From 22.8 on Node can keep compiled code; in dist/, which nobody but who installed us may write to, and not in /tmp.
require('node:module').enableCompileCache?.(`${__dirname}/../dist/.compiled`);
require('../dist/main.js');
