# sallyport jail profile, see sallyport-profile(5).
describe Python with its standard library, pip and virtual environments.
install python3, python3-venv and python3-pip
requires base

program python3
program? pip3
program? /usr/bin/pip
program? /usr/bin/python
program? /usr/bin/virtualenv

# The standard library. What the host's own programs import stays with them: sites have virtual environments.
tree? /usr/lib/python3.8
tree? /usr/lib/python3.9
tree? /usr/lib/python3.10
tree? /usr/lib/python3.11
tree? /usr/lib/python3.12
tree? /usr/lib/python3.13
tree? /usr/lib/python3.14
tree? /usr/lib64/python3.9
tree? /usr/lib64/python3.10
tree? /usr/lib64/python3.11
tree? /usr/lib64/python3.12
tree? /usr/lib64/python3.13
tree? /usr/lib64/python3.14
tree? /usr/share/python-wheels
tree? /usr/lib/python3/dist-packages/pip
tree? /usr/lib/python3/dist-packages/setuptools
tree? /usr/lib/python3/dist-packages/pkg_resources
tree? /usr/lib/python3/dist-packages/_distutils_hack
tree? /usr/lib/python3/dist-packages/wheel

promise python3 runs with its standard library
prove-sh python3 -c 'import ssl, sqlite3, json, ctypes, lzma, bz2, zlib, hashlib, multiprocessing'
promise virtual environments are made
prove-sh python3 -m venv --without-pip /tmp/v && /tmp/v/bin/python -c 'import sys; sys.exit(sys.prefix != "/tmp/v")'
promise pip starts, where the host has it
prove? pip3 --version
