import { describe, expect, it } from 'vitest';
import { hueOf, HUES, initialsOf } from '../../src/text/avatar.ts';
import { emojiGroups, findEmoji } from '../../src/text/emoji.ts';
import { foldAt, isBigEmoji } from '../../src/text/fold.ts';
import { mentionsIn, partsOf, safeHref } from '../../src/text/parts.ts';
import { countPoints, indexOfPoint } from '../../src/text/points.ts';
import { isSuspicious, safeName } from '../../src/text/safe_name.ts';
import { dateInput, dayLabel, dayOf, lastActive, listTime } from '../../src/text/time.ts';

describe('code points', () => {
  it('counts what the server counts', () => {
    expect(countPoints('')).toBe(0);
    expect(countPoints('a€😀')).toBe(3);
    expect(countPoints('👩‍👩‍👧')).toBe(5);
    expect(countPoints('\ud800x')).toBe(2);
    expect(countPoints('x\udc00')).toBe(2);
    expect(countPoints('😀'.repeat(100_000))).toBe(100_000);
  });
  it('finds where one begins', () => {
    expect(indexOfPoint('😀a😀', 2)).toBe(3);
    expect(indexOfPoint('ab', 9)).toBe(2);
  });
});

describe('names of strangers', () => {
  it('lose what turns the line around', () => {
    expect(safeName('evil\u202egnp.exe', 'id')).toBe('evilgnp.exe');
    expect(safeName('\u2067abc\u2069', 'id')).toBe('abc');
  });
  it('lose what cannot be seen', () => {
    expect(safeName('al\u200bi\u200dce\ufeff', 'id')).toBe('alice');
    expect(safeName('\u200b\u3164\u200e', 'mallory')).toBe('mallory');
    expect(safeName('a\u0000b\nc', 'id')).toBe('abc');
  });
  it('keep joiners where they are part of writing', () => {
    expect(safeName('👩‍🚀', 'id')).toBe('👩‍🚀');
    expect(safeName('می\u200cخواهم', 'id')).toBe('می\u200cخواهم');
  });
  it('do not pile up over other lines', () => {
    expect(safeName('z' + '\u0301'.repeat(50), 'id')).toBe('z' + '\u0301'.repeat(3));
  });
  it('are noticed when something was taken out', () => {
    expect(isSuspicious('Alice  B')).toBe(false);
    expect(isSuspicious('Al\u200bice')).toBe(true);
    expect(isSuspicious(null)).toBe(false);
  });
  it('fall back to the id', () => {
    expect(safeName(null, 'bob')).toBe('bob');
    expect(safeName('   ', 'bob')).toBe('bob');
  });
});

describe('links', () => {
  it('are made of http, https and mailto only', () => {
    expect(safeHref('https://example.org/a?b=c#d')).toBe('https://example.org/a?b=c#d');
    expect(safeHref('mailto:a@example.org')).toBe('mailto:a@example.org');
    for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'https://bank.example@evil.example/', 'vbscript:x'])
      expect(safeHref(bad)).toBeUndefined();
  });
  it('leave the full stop and the bracket outside', () => {
    expect(partsOf('see (https://a.example/x), ok').map((p) => p.text)).toEqual(['see (', 'https://a.example/x', '), ok']);
    expect(partsOf('https://a.example/w_(x).')[0]!.text).toBe('https://a.example/w_(x)');
  });
  it('are text where they are not safe, and HTML is text', () => {
    expect(partsOf('javascript:alert(1)')).toEqual([{ kind: 'text', text: 'javascript:alert(1)' }]);
    expect(partsOf('<script>alert(1)</script>')).toEqual([{ kind: 'text', text: '<script>alert(1)</script>' }]);
    expect(partsOf('https://a.example/"><img src=x>')[0]!.href).toBe('https://a.example/');
  });
  it('put together again are the text', () => {
    const text = 'a https://b.example, @bob. mailto:c@d.example! @nobody https://e.example/f.';
    expect(partsOf(text, ['bob']).map((p) => p.text).join('')).toBe(text);
  });
  it('take linear time', () => {
    const started = performance.now();
    partsOf('https://'.repeat(12_500), ['x']);
    partsOf('@'.repeat(100_000), ['x']);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('mentions', () => {
  it('are of members', () => {
    expect(mentionsIn('hi @bob, and @carol.x! @dave', ['bob', 'carol.x'])).toEqual(['bob', 'carol.x']);
    expect(mentionsIn('mail bob@example.org', ['example.org'])).toEqual([]);
    expect(mentionsIn('@bob @bob', ['bob'])).toEqual(['bob']);
  });
});

describe('folding', () => {
  it('leaves short texts whole', () => {
    expect(foldAt('short')).toBe(0);
    expect(foldAt('x'.repeat(1400))).toBe(0);
  });
  it('cuts long ones, never inside a character', () => {
    const text = '😀'.repeat(50_000);
    const cut = foldAt('a' + text);
    expect(cut).toBeGreaterThan(0);
    expect(('a' + text).charCodeAt(cut - 1) & 0xfc00).not.toBe(0xd800);
    expect(foldAt('\n'.repeat(100))).toBe(17);
  });
  it('shows a few emoji large', () => {
    expect(isBigEmoji('🎉')).toBe(true);
    expect(isBigEmoji('👩‍🚀 ❤️')).toBe(true);
    expect(isBigEmoji('12')).toBe(false);
    expect(isBigEmoji('🎉🎉🎉🎉')).toBe(false);
    expect(isBigEmoji('ok 🎉')).toBe(false);
  });
});

describe('avatars', () => {
  it('keep their colour and take initials', () => {
    expect(hueOf('alice')).toBe(hueOf('alice'));
    for (const id of ['', 'a', 'g.0123456789abcdef', '😀']) expect(hueOf(id)).toBeLessThan(HUES);
    expect(initialsOf('Alice Miller')).toBe('AM');
    expect(initialsOf('bob')).toBe('B');
    expect(initialsOf('👩‍🚀 x')).toBe('👩‍🚀X');
    expect(initialsOf('...')).toBe('.');
  });
});

describe('times', () => {
  const now = new Date(2026, 5, 15, 12).getTime();
  it('speak of days', () => {
    expect(dayLabel(now - 60_000, now)).toBe('Today');
    expect(dayLabel(now - 86_400_000, now)).toBe('Yesterday');
    expect(listTime(now - 86_400_000, now)).toBe('Yesterday');
    expect(dayOf(new Date(2026, 0, 2, 0, 0).getTime()) - dayOf(new Date(2026, 0, 1, 23, 59).getTime())).toBe(1);
  });
  it('count days across a change of the clock', () => {
    expect(dayOf(new Date(2026, 2, 30).getTime()) - dayOf(new Date(2026, 2, 28).getTime())).toBe(2);
  });
  it('say when somebody was there', () => {
    expect(lastActive(null, now)).toBe('offline');
    expect(lastActive(now + 5000, now)).toBe('active just now');
    expect(lastActive(now - 5 * 60_000, now)).toBe('active 5 min ago');
  });
  it('read a date', () => {
    expect(dateInput('2026-06-15')).toBe(new Date(2026, 5, 15).getTime());
    expect(dateInput('tomorrow')).toBeUndefined();
  });
});

describe('emoji', () => {
  it('are found by name, each at most 32 bytes', () => {
    expect(findEmoji('taco').map((e) => e.emoji)).toEqual(['🌮']);
    for (const group of emojiGroups())
      for (const e of group.emoji) {
        expect(new TextEncoder().encode(e.emoji).length).toBeLessThanOrEqual(32);
        expect(e.name).not.toBe('');
      }
  });
});
