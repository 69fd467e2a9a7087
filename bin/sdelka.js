#!/bin/sh
':' //; exec node -- "$0" "$@"
// A shell starts Node with `--`: without it Node 20 takes --env-file for an option of its own, wherever it stands.
require('../dist/main.js');
