// Sign up and log in.

import { useLayoutEffect, useState } from 'preact/hooks';
import { chat, state } from '../model/chat.ts';
import { wordsFor } from '../model/errors.ts';
import { keepSiteToken, siteToken } from '../model/site_token.ts';
import { ChatError } from '@chat/sdk';
import { Icon } from './icon.tsx';

type Mode = 'login' | 'signup' | 'token';

const HEADINGS: Record<Mode, string> = { login: 'Welcome back', signup: 'Make an account', token: 'Use a token' };

export function Entrance() {
  const [mode, setMode] = useState<Mode>('login');
  return (
    <main class="entrance">
      <div class="entrance-box">
        <span class="logo">
          <Icon name="chats" />
        </span>
        <h1>{HEADINGS[mode]}</h1>
        <OutReason />
        {mode === 'token' ? <TokenForm /> : <AccountForm mode={mode} />}
        <div class="entrance-links">
          {mode !== 'login' && (
            <button type="button" class="text-button" onClick={() => setMode('login')}>
              Log in
            </button>
          )}
          {mode !== 'signup' && (
            <button type="button" class="text-button" onClick={() => setMode('signup')}>
              Make an account
            </button>
          )}
          {mode !== 'token' && (
            <button type="button" class="text-button quiet" onClick={() => setMode('token')}>
              Use a token
            </button>
          )}
        </div>
      </div>
    </main>
  );
}

/** Why one is out, when it was not one's own doing. */
function OutReason() {
  const { reason } = state.value;
  if (!reason || reason === 'logged_out') return null;
  return <p class="form-note">{wordsFor(new ChatError(401, reason))}</p>;
}

const USER = /^[A-Za-z0-9_.@+-]{1,64}$/;

/** What is wrong with the input, before the server is asked. */
function problemOf(user: string, password: string, signup: boolean): string {
  if (!USER.test(user)) return 'A user name has 1 to 64 letters, digits or _ . @ + - and no spaces.';
  const bytes = new TextEncoder().encode(password).length;
  if (signup && bytes < 8) return 'A password has at least 8 characters.';
  if (bytes > 1024) return 'A password has at most 1,024 bytes.';
  return password ? '' : 'Type your password.';
}

function AccountForm({ mode }: { mode: 'login' | 'signup' }) {
  const [user, setUser] = useState('');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const signup = mode === 'signup';
  // what was typed is good for the other form, too; what was wrong there may not be wrong here
  useLayoutEffect(() => setProblem(''), [mode]);

  const submit = async (e: Event) => {
    e.preventDefault();
    const wrong = problemOf(user, password, signup);
    setProblem(wrong);
    if (wrong || busy) return;
    setBusy(true);
    try {
      const display_name = name.trim();
      if (signup) await chat.signup({ user, password, ...(display_name ? { display_name } : {}) });
      else await chat.login({ user, password });
    } catch (error) {
      setProblem(wordsFor(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form class="form" onSubmit={submit} noValidate>
      <label class="field">
        User name
        <input class="input" name="user" autoComplete="username" autoCapitalize="off" spellcheck={false} maxLength={64} required
          value={user} onInput={(e) => setUser(e.currentTarget.value.trim())} />
      </label>
      {signup && (
        <label class="field">
          Your name <span class="soft">(as others see it)</span>
          <input class="input" name="name" autoComplete="name" maxLength={200} dir="auto" value={name} onInput={(e) => setName(e.currentTarget.value)} />
        </label>
      )}
      <label class="field">
        <span>
          Password {signup && <span class="soft">(at least 8 characters)</span>}
        </span>
        <input class="input" name="password" type="password" autoComplete={signup ? 'new-password' : 'current-password'} required
          value={password} onInput={(e) => setPassword(e.currentTarget.value)} />
      </label>
      <p class="form-problem" role="alert">
        {problem}
      </p>
      <button type="submit" class="button primary wide" disabled={busy}>
        {busy ? 'One moment…' : signup ? 'Sign up' : 'Log in'}
      </button>
    </form>
  );
}

function TokenForm() {
  const [token, setToken] = useState(siteToken() ?? '');
  const submit = (e: Event) => {
    e.preventDefault();
    keepSiteToken(token.trim() || null);
    location.reload();
  };
  return (
    <form class="form" onSubmit={submit}>
      <label class="field">
        Token <span class="soft">(signed by your site)</span>
        <textarea class="input token" name="token" rows={4} spellcheck={false} autoComplete="off" value={token} onInput={(e) => setToken(e.currentTarget.value)} />
      </label>
      <button type="submit" class="button primary wide">
        Connect
      </button>
    </form>
  );
}
