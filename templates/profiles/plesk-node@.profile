# sallyport jail profile, see sallyport-profile(5). Asked for with the version: plesk-node@20.
describe Node.js %i of Plesk as the jail's node, with its npm.
install Node.js %i with Plesk's installer
requires base

tree /opt/plesk/node/%i
link /usr/bin/node /opt/plesk/node/%i/bin/node
link /usr/bin/npm /opt/plesk/node/%i/bin/npm
link /usr/bin/npx /opt/plesk/node/%i/bin/npx

promise node is Node.js %i
prove-sh node --version | grep -q '^v%i\.'
promise npm starts
prove npm --version
