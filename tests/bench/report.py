"""bench/run and bench/capacity over figures made up here: what they print follows from the figures, and nothing
measures or starts a server.  The load generator's unit tests are unit/test_bench.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile

from tap import equal, main, test

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + '/bench')


def load(name):
    loader = importlib.machinery.SourceFileLoader('bench_' + name, ROOT + '/bench/' + name)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('bench_' + name, loader))
    loader.exec_module(module)
    return module


RUN, CAPACITY = load('run'), load('capacity')


@contextlib.contextmanager
def written(run):
    with tempfile.NamedTemporaryFile('w', suffix='.json') as f:
        json.dump(run, f)
        f.flush()
        yield f.name


def capacity(arguments, run, status=0):
    """What bench/capacity prints about the figures of a mixed run."""
    with written(run) as path:
        p = subprocess.run([ROOT + '/bench/capacity', *arguments, '--from', path], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    equal(p.returncode, status, p.stdout)
    return p.stdout


def figures(mode, results, disk=()):
    return dict(mode=mode, seconds=4, at='today', load=0.5, results=results, disk=list(disk))


def report(mode, results, disk=()):
    """What is printed of a run, and its tables: the cells of each row that is no line below a head."""
    out = io.StringIO()
    with written(figures(mode, results, disk)) as path, contextlib.redirect_stdout(out):
        RUN.tables.main([path])
    return out.getvalue(), [[cell.strip() for cell in line[1:-1].split('|')] for line in out.getvalue().splitlines()
                            if line.startswith('|') and '---' not in line]


def talk(scale, **more):
    of = {'messages': 100, 'deliveries_per_cpu_s': 1000 * scale, 'cpu_us_per_message': 20.0 / scale,
          'messages_per_s': 50.0, 'rested': 1.0}
    for f in 'delivery', 'ack':
        of.update({'%s_%s_us' % (f, p): scale * v for p, v in (('p50', 100), ('p99', 200), ('p999', 300))})
    of.update(more)
    return of


DISK = {'fdatasync_p50_us': 150.0, 'fdatasync_p99_us': 400.0, 'fdatasync_max_us': 900.0}


@test('a table has the median with lowest and highest round, and how many times as many chat makes')
def _():
    _, rows = report('quick', {'pair W=16': {'chat': [talk(2), talk(4), talk(3)], 'limit': [talk(1)]}})
    equal(rows[0], ['deliveries per CPU second', 'chat', 'limit', 'chat/limit'])
    equal(rows[1], ['pair W=16', '3,000 (2,000 - 4,000)', '1,000', '3'])
    equal(len(rows), 2)


@test('rates have delivery, acknowledgement of whoever acknowledges, and threads')
def _():
    silent = {k: v for k, v in talk(1).items() if not k.startswith('ack')}
    chat = talk(2, thread_commit_cpu_us=5000, thread_commit_sleeps=250, thread_store_rest_cpu_us=1000,
                thread_store_rest_sleeps=0)
    _, rows = report('quick', {'rate 1,000/s': {'chat': [chat], 'nchan': [silent]}}, [DISK])
    assert ['rate 1,000/s', '200 / 400 / 600', '100 / 200 / 300'] in rows, rows
    assert ['send to acknowledgement, µs, p50 / p99 / p99.9', 'chat'] in rows, rows
    assert ['rate 1,000/s', '200 / 400 / 600'] in rows, rows
    assert ['store, commit thread', '50', '2.50'] in rows, rows
    assert ["store, LevelDB's thread", '10', '0'] in rows, rows
    assert ['together', '60', '2.50'] in rows, rows


@test('a round in which the server did not come to rest is marked')
def _():
    out, _ = report('quick', {'group': {'chat': [talk(1), talk(1, rested=0)]}})
    assert '1,000 (1,000 - 1,000), not at rest' in out, out
    out, _ = report('flat', {'10 messages, 1 channels': {'chat': [talk(1, rested=0)]}})
    assert '20, not at rest' in out, out


@test('flat has a column for limit, too')
def _():
    _, rows = report('flat', {'10 messages, 1 channels': {'chat': [talk(1)], 'limit': [talk(2)]},
                              '20 messages, 1 channels': {'chat': [talk(0.5)], 'limit': [talk(2)]}})
    equal(rows[1:], [['10 messages, 1 channels', '20', '1.00', '10', '1.00'],
                     ['20 messages, 1 channels', '40', '2.00', '10', '1.00']])


@test('half has its bound beside p99, and the sweep')
def _():
    out, rows = report('half', {'closed loop': {'chat': [talk(1)]}, 'half': {'chat': [talk(1)]},
                                'W=1': {'chat': [talk(10)]}, '2,000/s': {'chat': [talk(10)]}}, [DISK])
    assert "(5 ms and the disk's p99: 5,400)" in out, out
    assert ['chat, delivery p50 / p99, ms', '1 / 2 at 50/s', '1 / 2'] in rows, rows


@test('a commit is held against the waits of its own round')
def _():
    waits = {'memtable_waits': 0, 'memtable_longest_us': 0.0, 'level0_waits': 0, 'level0_longest_us': 0.0}
    other = dict(waits, memtable_waits=3, memtable_longest_us=50000.0, longest_commit_us=6000.0)
    out, _ = report('full', {'group': {'chat': [talk(1, **other), talk(1, longest_commit_us=20000.0, **waits)]}})
    assert 'Longest commit 20 ms; in its round LevelDB waited for a memory table 0 times' in out, out


@test('bench/run --report prints several runs, one after the other')
def _():
    with written(figures('scale', {'group': {'chat': [talk(1)]}})) as one, \
            written(figures('quick', {'pair W=1': {'chat': [talk(2)]}})) as other:
        out = subprocess.check_output([ROOT + '/bench/run', '--report', one, other], text=True)
    assert out.index('| group | 1,000 |') < out.index('| pair W=1 | 2,000 |'), out


@test('every mode has tables')
def _():
    one = {'chat': [talk(1, unkind_per_s=5.0)]}
    for mode, results in (('scale', {'20 connections': one}), ('mixed', {'rate 100': one}), ('idle', {'idle, 10': one}),
                          ('fair', {'nobody': one, 'one floods': one}), ('storm', {'storm': one}), ('http', {'http': one})):
        out, rows = report(mode, results, [DISK])
        assert 'bench/run %s' % mode in out and len(rows) >= 2, out


@test('words choose cases: whole ones, at any place of a name')
def _():
    chosen = lambda words: list(RUN.choose(RUN.CASES, words))
    equal(chosen(''), list(RUN.CASES))
    equal(chosen('W=1'), ['pair W=1'])
    equal(chosen('W=16,group,rate'), ['pair W=16', 'group', 'rate 1,000/s', 'rate 5,000/s'])
    equal(chosen('W=16,group,rate 1'), ['pair W=16', 'group', 'rate 1,000/s'])
    equal(chosen('rate 1,000/s'), ['rate 1,000/s'])
    equal(chosen('rate 5,000/s,group'), ['group', 'rate 5,000/s'])
    try:
        chosen('W=2')
        raise AssertionError('W=2 was found')
    except RUN.Failed:
        pass


ROWS = [(1.0, 1e-3), (100.0, 1e-4), (10000.0, 1e-4)]


@test('a cost lies on a line of logarithms between two rates, and beyond them is the nearest')
def _():
    for rate, cost in (0.1, 1e-3), (1, 1e-3), (10, 1e-3 * 10 ** -0.5), (100, 1e-4), (1000, 1e-4), (1e6, 1e-4):
        got = CAPACITY.at(ROWS, 1, rate)
        assert abs(got / cost - 1) < 1e-9, (rate, got, cost)


def mixed(day_cpu_percent, heartbeat_s=30):
    """1,000 users: 10 us of CPU a second of each who does nothing, 90 us a ping, 1 ms a message, 2 ms a coming back."""
    step = {'users': 1000, 'seconds': 10.0, 'messages': 0, 'churned': 0, 'bytes_per_connection': 1000.0,
            'kernel_bytes_both_ends': 4000.0, 'stored_bytes': 0, 'network_out_bytes': 0, 'delivered_text_bytes': 0}
    idle = 0.01
    ping = 90e-6 * 1000
    sent = dict(step, messages=1000, messages_per_s=100.0, server_cpu_s=10 * idle + 1.0, stored_bytes=500000,
                network_out_bytes=800000, delivered_text_bytes=300000)
    came = dict(step, churned=100, churned_per_s=10.0, server_cpu_s=10 * idle + 0.2, stored_bytes=1000,
                network_out_bytes=50000)
    day = dict(sent, churned=100, churned_per_s=10.0, server_cpu_percent=day_cpu_percent, network_out_bytes=850000,
               stored_bytes=501000)
    return {'mode': 'mixed', 'pings_s': 3, 'day_heartbeat_s': heartbeat_s, 'results': {
        case: {'chat': [of]} for case, of in {
            'pings': dict(step, server_cpu_percent=100 * (idle + ping / (3 * 15 / 16))),
            'nothing': dict(step, server_cpu_percent=100 * idle), 'rate 100': sent, 'churn 10': came, 'day': day}.items()}}


# messages 0.1 of a core, comings back 0.02, connections 0.01, pings of every 28.125 s 0.0032
DAY_PERCENT = 100 * (0.1 + 0.02 + 0.01 + 0.09 / (30 * 15 / 16))


@test('the model foretells the day from its unit costs')
def _():
    out = capacity([], mixed(DAY_PERCENT))
    line = [l for l in out.splitlines() if 'CPU, percent of a core' in l][0]
    equal(line.split('foretold')[1].split(), ['%.2f,' % DAY_PERCENT, 'measured', '%.2f:' % DAY_PERCENT, '1.00'])
    assert 'OFF' not in out, out


@test('a day that was measured otherwise ends the model with 1')
def _():
    equal(capacity([], mixed(1.5 * DAY_PERCENT), 1).count('  OFF'), 1)
    capacity(['--tolerance', '2'], mixed(1.5 * DAY_PERCENT))


@test('the heartbeat of the service does not change what is foretold of the day, that of the day does')
def _():
    day = lambda out: [l for l in out.splitlines() if 'foretold' in l]
    equal(day(capacity(['--heartbeat', '5'], mixed(DAY_PERCENT))),
          day(capacity([], mixed(DAY_PERCENT))))
    # pings are 9.6 % of a core then, of 22.6
    equal(capacity([], mixed(DAY_PERCENT, heartbeat_s=1), 1).count('  OFF'), 1)


main()
