# sallyport jail profile, see sallyport-profile(5).
describe Node.js with npm.
install nodejs and npm
requires base

program node
program? npm
program? npx
program? /usr/bin/nodejs
program? /usr/bin/corepack
program? /usr/bin/yarn
program? /usr/bin/yarnpkg
program? /usr/bin/pnpm
program? /usr/local/bin/corepack
program? /usr/local/bin/yarn
program? /usr/local/bin/pnpm

# Debian keeps each of npm's modules by itself; others keep npm in one directory. What else the host has
# installed globally is its own.
tree? /usr/share/nodejs
tree? /usr/share/npm
tree? /usr/share/node_modules
tree? /usr/lib/nodejs
tree? /usr/lib/x86_64-linux-gnu/nodejs
tree? /usr/lib/x86_64-linux-gnu/node_modules
tree? /usr/lib/aarch64-linux-gnu/nodejs
tree? /usr/lib/aarch64-linux-gnu/node_modules
tree? /usr/lib/node_modules/npm
tree? /usr/lib/node_modules/corepack
tree? /usr/lib/node_modules/yarn
tree? /usr/lib/node_modules/pnpm
tree? /usr/local/lib/node_modules/npm
tree? /usr/local/lib/node_modules/corepack
tree? /usr/local/lib/node_modules/yarn
tree? /usr/local/lib/node_modules/pnpm

promise node runs scripts with the modules beside them
prove-sh mkdir -p /tmp/node_modules/m && echo 'module.exports = 42' >/tmp/node_modules/m/index.js && cd /tmp && node -e 'process.exit(require("m") == 42 ? 0 : 1)'
promise npm starts, where the host has it
prove? npm --version
prove? npx --version
