"""CPU per message over what is stored, for bench/run: stores are filled once, one for each cell, and each round begins on
a fresh copy.
"""

import os
import shutil
import statistics
import subprocess
import tempfile

import tables
from servers import BASE, OBJS, Chat, Failed, Limit

FLAT_SENDERS = 100
FLAT_CACHE = '2g'  # has room for every channel of theirs


def fill(store, senders, peers, messages, prefix):
    done = subprocess.run([OBJS + '/bench-fill', '-n', str(senders), '-q', str(peers), '-m', str(messages),
                           '-u', prefix, store])
    if done.returncode != 0:
        raise Failed('%s is not filled' % store)


def copy_store(store, copy):
    """LevelDB writes a table once and only deletes it later: its tables may be shared, whatever their size."""
    shutil.copytree(store, copy,
                    copy_function=lambda a, b: os.link(a, b) if a.endswith('.ldb') else shutil.copy2(a, b))


class Flat:
    """Part of Bench, whose options, servers and figures it uses."""

    def flat_stores(self):
        """(messages, channels): one of them grows while the other stays."""
        o = self.options
        middle = sorted(o.channels)[len(o.channels) // 2]
        cells = [(m, middle) for m in sorted(o.messages)]
        cells += [(max(o.messages), c) for c in sorted(o.channels) if c != middle]
        return cells

    def flat_load(self, channels, seconds, server, *more):
        return self.load(['peers', '-n', str(FLAT_SENDERS), '-q', str(channels), '-W', '1', '-t', str(seconds),
                          '-u', 'p', *more], server)

    def flat_limit_round(self, case, messages, channels):
        """limit reads nothing back: what is stored before is what it was sent before."""
        server = Limit(self.options.connections)
        self.servers.append(server)
        server.start()
        done = 0
        while done < messages:
            seconds = min(5, max(0.1, (messages - done) / 2e5))
            done += self.flat_load(channels, seconds, server, '-W', '64', '-w', '0')['messages']
        server.rest()
        figures = self.flat_load(channels, self.options.seconds, server)
        self.keep_figures(case, server, figures)
        self.close()
        return figures

    def flat_round(self, case, store, channels, warm):
        server = Chat(self.options.connections)
        server.cache = FLAT_CACHE if warm else Chat.cache
        self.servers.append(server)
        copy_store(store, server.dir + '/store')
        server.start()
        server.rest()
        # each load goes through the channels in the same order
        met = self.flat_load(channels, 3 * self.options.seconds, server)['messages'] if warm else 0
        server.rest()
        figures = self.flat_load(channels, self.options.seconds, server)
        if warm and met < min(figures['messages'], FLAT_SENDERS * channels):
            raise Failed('%s: only %d messages before' % (case, met))
        self.keep_figures(case, server, figures)
        self.close()
        return figures

    def flat(self):
        stores = {}
        middle = sorted(self.options.channels)[len(self.options.channels) // 2]
        parent = tempfile.mkdtemp(prefix='bench-flat-', dir=BASE)
        try:
            for messages, channels in self.flat_stores():
                case = '{:,} messages, {:,} channels'.format(messages, channels)
                store = '%s/%d-%d' % (parent, messages, channels)
                stores[case] = (messages, channels, store, False)
                print('  filling: %s' % case, flush=True)
                fill(store, FLAT_SENDERS, channels, messages, 'p')
                self.flat_compact(store)
            stores[case + ', in memory'] = (messages, channels, store, True)
            for round_ in range(self.options.rounds):
                self.measure_disk()
                for case, (messages, channels, store, warm) in stores.items():
                    measured = {'chat': self.flat_round(case, store, channels, warm)}
                    if 'limit' in self.options.servers and channels == middle and not warm:
                        measured['limit'] = self.flat_limit_round(case, messages, channels)
                    for name, figures in measured.items():
                        print('  round %d  %-48s %-5s %8.1f us of CPU a message' % (
                            round_ + 1, case, name, figures['cpu_us_per_message']), flush=True)
        finally:
            if not self.options.keep:
                shutil.rmtree(parent, ignore_errors=True)

    def flat_compact(self, store):
        """What filling left to be compacted is not to be paid by the messages that are counted."""
        server = Chat(self.options.connections)
        self.servers.append(server)
        os.rename(store, server.dir + '/store')
        server.start()
        server.rest()
        server.stop(keep=True)
        os.rename(server.dir + '/store', store)
        self.close()

    def print_flat(self):
        print('\nCPU of the server per message, closed loop; %d senders with so many channels each, messages stored '
              'before\n' % FLAT_SENDERS)
        first = {}
        for case, by_server in self.results.items():
            for name, rounds in by_server.items():
                values = sorted(f['cpu_us_per_message'] for f in rounds)
                middle = statistics.median(values)
                print('%-52s %-5s %7.1f us (%.1f - %.1f)  %5.2f of the first; %9.0f messages added%s' % (
                    case, name, middle, values[0], values[-1], middle / first.setdefault(name, middle),
                    self.median(case, name, 'messages'), tables.restless(rounds)))
