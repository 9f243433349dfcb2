"""The figures of bench/run as Markdown tables, for docs/performance.md:

    bench/run --report objs/bench*.json
"""

import json
import statistics


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


def servers(results):
    return list(dict.fromkeys(s for by_server in results.values() for s in by_server))


def talk(results):
    names = servers(results)
    others = [n for n in names if n != 'chat' and 'chat' in names]
    rows = []
    for case, by_server in results.items():
        of = {n: median(by_server.get(n, []), 'deliveries_per_cpu_s') for n in names}
        rows.append([case] + [spread(by_server.get(n, []), 'deliveries_per_cpu_s') for n in names] +
                    [number(of['chat'] / of[n]) if of[n] and of['chat'] else '' for n in others])
    table(['deliveries per CPU second'] + names + ['chat/' + n for n in others], rows)
    latencies(results, names)


def latencies(results, names, cases='rate'):
    rows = [[case] + [' / '.join(number(median(by_server.get(n, []), 'delivery_%s_us' % p)) for p in ('p50', 'p99', 'p999'))
                      if n in by_server else '' for n in names]
            for case, by_server in results.items() if cases in case]
    if rows:
        table(['send to delivery, µs, p50 / p99 / p99.9'] + names, rows)


def half(results):
    rows = []
    for n in servers(results):
        closed, opened = results['closed loop'][n], results['half'][n]
        rows.append([n, spread(closed, 'messages_per_s'), spread(opened, 'messages_per_s')] +
                    [spread(opened, 'delivery_%s_us' % p) for p in ('p50', 'p99')])
    table(['pairs', 'closed loop, messages/s', 'open loop, messages/s', 'delivery p50, µs', 'p99, µs'], rows)


def mixed(results):
    rows = []
    for case, by_server in results.items():
        m = lambda f: median(by_server['chat'], f)
        sent = m('messages')
        rows.append([case] + [number(m(f)) for f in ('messages_per_s', 'churned_per_s', 'server_cpu_percent',
                                                     'cpu_us_per_message')] +
                    [number(m(f) / sent) if sent and m(f) is not None else '' for f in ('stored_bytes',
                                                                                       'network_out_bytes')])
    table(['mixed', 'messages/s', 'leave and come back/s', 'CPU, % of a core', 'µs of CPU a message',
           'bytes on disk', 'bytes to users'], rows)


def flat(results):
    first = None
    rows = []
    for case, by_server in results.items():
        middle = median(by_server['chat'], 'cpu_us_per_message')
        first = first or middle
        rows.append([case, spread(by_server['chat'], 'cpu_us_per_message'), '%.2f' % (middle / first)])
    table(['stored, a sender', 'µs of CPU a message', 'of the first'], rows)


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
        figures = list(dict.fromkeys(f for rounds in by_server.values() for f in rounds[0]))
        table([case] + list(by_server), [[f.replace('_', ' ')] + [number(median(r, f)) for r in by_server.values()]
                                         for f in figures])


def commits(results):
    rounds = [f for by_server in results.values() for f in by_server.get('chat', []) if 'longest_commit_us' in f]
    if rounds:
        most = lambda f: max(r[f] for r in rounds)
        print('Longest commit %s ms; LevelDB waited for a memory table %d times (%s ms at most), for files of level 0 %d '
              'times (%s ms at most).\n' % (
                  number(most('longest_commit_us') / 1e3), most('memtable_waits'),
                  number(most('memtable_longest_us') / 1e3), most('level0_waits'),
                  number(most('level0_longest_us') / 1e3)))


def main(paths):
    for path in paths:
        with open(path) as f:
            run = json.load(f)
        results, mode = run['results'], run['mode']
        rounds = max((len(r) for by_server in results.values() for r in by_server.values()), default=0)
        print('`bench/run %s`, %s, %d rounds%s; load average at the start %.2f\n' % (
            mode, run.get('at', ''), rounds, ' of %g s' % run['seconds'] if run['seconds'] else '', run.get('load', 0)))
        {'half': half, 'mixed': mixed, 'flat': flat, 'fair': fair, 'idle': crowds, 'storm': crowds,
         'http': crowds}.get(mode, talk)(results)
        commits(results)
        if run['disk']:
            d = [statistics.median(d[f] for d in run['disk']) for f in ('fdatasync_p50_us', 'fdatasync_p99_us')]
            print('The disk alone, 512 bytes written and synced: p50 %s, p99 %s µs.\n' % tuple(map(number, d)))
