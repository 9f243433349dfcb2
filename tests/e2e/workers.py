"""chatd without nginx: the wire spoken by wire_client.py as if it were one."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + '/tests')
sys.dont_write_bytecode = True

import wire_client

sys.exit(wire_client.main(os.environ.get('CHAT_OBJS', ROOT + '/objs') + '/chatd') != 0)
