"""The figures of bench/run as Markdown tables, for docs/performance.md:

    bench/run --report objs/bench*.json
"""

import json
import statistics

# threads as bench-load names them, where that does not say enough
THREADS = {'worker': 'chatd worker', 'store': 'store, loop', 'commit': 'store, commit thread',
           'loads': 'store, readers of what messages wait for', 'pages': 'store, other readers',
           'compact': 'store, asks for compaction', 'store_rest': "store, LevelDB's thread",
           'limit': 'limit, its own thread', 'limit_rest': "limit, LevelDB's thread"}


def median(rounds, figure):
    values = [f[figure] for f in rounds if figure in f]
    return statistics.median(values) if values else None


def number(v):
    """Three digits that count."""
    if v is None:
        return ''
    if abs(v) < 1000 and v == int(v):
        return '%d' % v
    if abs(v) < 10:
        return '%.2f' % v
    if abs(v) < 100:
        return '%.1f' % v
    return '{:,.0f}'.format(round(v, 2 - len(str(int(abs(v)))) + 1))


def table(head, rows):
    print('| %s |\n|%s' % (' | '.join(head), ' --- |' * len(head)))
    for row in rows:
        print('| %s |' % ' | '.join(row))
    print()


def spread(rounds, figure):
    """median (lowest - highest)"""
    values = [f[figure] for f in rounds if figure in f]
    if len(values) < 2:
        return ''.join(map(number, values))
    return '%s (%s - %s)' % tuple(number(v) for v in (statistics.median(values), min(values), max(values)))


def restless(rounds):
    """A mark where what the server did later is in no figure."""
    return ', not at rest' if any(f.get('rested') == 0 for f in rounds) else ''


def cost(rounds, figure):
    return spread(rounds, figure) + restless(rounds)


def servers(results):
    return list(dict.fromkeys(s for by_server in results.values() for s in by_server))


def talk(results):
    names = servers(results)
    others = [n for n in names if n != 'chat' and 'chat' in names]
    rows = []
    for case, by_server in results.items():
        of = {n: median(by_server.get(n, []), 'deliveries_per_cpu_s') for n in names}
        rows.append([case] + [cost(by_server.get(n, []), 'deliveries_per_cpu_s') for n in names] +
                    [number(of['chat'] / of[n]) if of[n] and of['chat'] else '' for n in others])
    table(['deliveries per CPU second'] + names + ['chat/' + n for n in others], rows)
    rates = {case: by_server for case, by_server in results.items() if 'rate' in case}
    latencies(rates, names, 'delivery', 'send to delivery')
    latencies(rates, names, 'ack', 'send to acknowledgement')
    threads(rates)


def latencies(results, names, figure, title):
    figures = ['%s_%s_us' % (figure, p) for p in ('p50', 'p99', 'p999')]
    # who acknowledges nothing has no column
    names = [n for n in names if any(median(r.get(n, []), figures[0]) is not None for r in results.values())]
    rows = [[case] + [' / '.join(number(median(by_server.get(n, []), f)) for f in figures) if n in by_server else ''
                      for n in names] for case, by_server in results.items()]
    if rows and names:
        table(['%s, µs, p50 / p99 / p99.9' % title] + names, rows)


def thread(rounds, label, figure):
    """Of a message, the median of the rounds."""
    values = [f.get('thread_%s_%s' % (label, figure), 0) / f['messages'] for f in rounds if f.get('messages')]
    return statistics.median(values) if values else 0


def threads(results):
    """What a message costs each thread of chat and limit: CPU, and voluntary context switches."""
    for name in [n for n in servers(results) if n in ('chat', 'limit')]:
        cases = {c: by_server[name] for c, by_server in results.items() if name in by_server}
        labels = list(dict.fromkeys(f[len('thread_'):-len('_cpu_us')] for rounds in cases.values() for r in rounds
                                    for f in r if f.startswith('thread_') and f.endswith('_cpu_us')))
        figures = [[thread(rounds, label, f) for rounds in cases.values() for f in ('cpu_us', 'sleeps')]
                   for label in labels]
        rows = [[THREADS.get(label, label.replace('_', ', '))] + list(map(number, row))
                for label, row in zip(labels, figures)]
        if rows:
            rows.append(['together'] + [number(sum(column)) for column in zip(*figures)])
            table(['%s, a message' % name] + [h for c in cases for h in (c + ', µs', 'sleeps')], rows)


def half(results, disk):
    rows = []
    bound = '5 ms and the disk\'s p99' + (': %s' % number(5000 + median(disk, 'fdatasync_p99_us')) if disk else '')
    for n in servers(results):
        closed, opened = results['closed loop'][n], results['half'][n]
        rows.append([n, spread(closed, 'messages_per_s'), spread(opened, 'messages_per_s')] +
                    [spread(opened, 'delivery_%s_us' % p) for p in ('p50', 'p99')])
    table(['pairs', 'closed loop, messages/s', 'open loop, messages/s', 'delivery p50, µs', 'p99, µs (%s)' % bound],
          rows)
    sweep({case: by_server for case, by_server in results.items() if case not in ('closed loop', 'half')})


def sweep(results):
    """The rates of half --rates, and before them the closed loop with one message a sender."""
    def latency(case, rounds):
        p50, p99, rate = (median(rounds, f) for f in ('delivery_p50_us', 'delivery_p99_us', 'messages_per_s'))
        if p50 is None:
            return ''
        return '%s / %s' % (number(p50 / 1e3), number(p99 / 1e3)) + ('' if '/s' in case else ' at %s/s' % number(rate))

    if results:
        names = servers(results)
        table([''] + list(results),
              [['%s, delivery p50 / p99, ms' % n] + [latency(c, r.get(n, [])) for c, r in results.items()]
               for n in names] +
              [['%s, µs of CPU a message' % n] + [cost(r.get(n, []), 'cpu_us_per_message') for r in results.values()]
               for n in names])
        threads(results)


def mixed(results):
    rows = []
    for case, by_server in results.items():
        m = lambda f: median(by_server['chat'], f)
        sent = m('messages')
        rows.append([case + restless(by_server['chat'])] + [number(m(f)) for f in ('messages_per_s', 'churned_per_s', 'server_cpu_percent',
                                                     'cpu_us_per_message')] +
                    [number(m(f) / sent) if sent and m(f) is not None else '' for f in ('stored_bytes',
                                                                                       'network_out_bytes')])
    table(['mixed', 'messages/s', 'leave and come back/s', 'CPU, % of a core', 'µs of CPU a message',
           'bytes on disk', 'bytes to users'], rows)


def flat(results):
    names, first, rows = servers(results), {}, []
    for case, by_server in results.items():
        row = [case]
        for n in names:
            middle = median(by_server.get(n, []), 'cpu_us_per_message')
            row += [cost(by_server[n], 'cpu_us_per_message'), '%.2f' % (middle / first.setdefault(n, middle))] \
                if middle else ['', '']
        rows.append(row)
    table(['stored, a sender'] + [h for n in names for h in ('%s, µs of CPU a message' % n, 'of the first')], rows)
    threads(results)


def fair(results):
    alone = median(results['nobody']['chat'], 'delivery_p50_us')
    rows = []
    for case, by_server in results.items():
        rounds = by_server['chat']
        rows.append([case, spread(rounds, 'delivery_p50_us'),
                     '%.2f' % (median(rounds, 'delivery_p50_us') / alone), spread(rounds, 'delivery_p99_us'),
                     number(median(rounds, 'unkind_per_s'))])
    table(['beside', 'p50, µs', 'of alone', 'p99, µs', 'its own rate/s'], rows)


def crowds(results):
    for case, by_server in results.items():
        figures = [f for f in dict.fromkeys(f for rounds in by_server.values() for f in rounds[0])
                   if not f.startswith('pid_')]
        table([case] + list(by_server), [[f.replace('_', ' ')] + [number(median(r, f)) for r in by_server.values()]
                                         for f in figures])


def commits(results):
    rounds = [f for by_server in results.values() for f in by_server.get('chat', []) if 'longest_commit_us' in f]
    if rounds:
        longest = max(rounds, key=lambda f: f['longest_commit_us'])
        ms = lambda figure: number(longest[figure] / 1e3)
        print('Longest commit %s ms; in its round LevelDB waited for a memory table %d times (%s ms at most), for files '
              'of level 0 %d times (%s ms at most).\n' % (
                  ms('longest_commit_us'), longest['memtable_waits'], ms('memtable_longest_us'),
                  longest['level0_waits'], ms('level0_longest_us')))


def main(paths):
    for path in paths:
        with open(path) as f:
            run = json.load(f)
        results, mode = run['results'], run['mode']
        rounds = max((len(r) for by_server in results.values() for r in by_server.values()), default=0)
        print('`bench/run %s`, %s, %d rounds%s; load average at the start %.2f\n' % (
            mode, run.get('at', ''), rounds, ' of %g s' % run['seconds'] if run['seconds'] else '', run.get('load', 0)))
        {'half': lambda r: half(r, run['disk']), 'mixed': mixed, 'flat': flat, 'fair': fair, 'idle': crowds, 'storm': crowds,
         'http': crowds}.get(mode, talk)(results)
        commits(results)
        if run['disk']:
            d = [statistics.median(d[f] for d in run['disk']) for f in ('fdatasync_p50_us', 'fdatasync_p99_us')]
            print('The disk alone, 512 bytes written and synced: p50 %s, p99 %s µs.\n' % tuple(map(number, d)))
