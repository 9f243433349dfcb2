// A token that a site of its own signed, pasted at log-in, for servers whose
// accounts are off.  It is kept until log-out.

const KEY = 'chat.site-token';

export function siteToken(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function keepSiteToken(token: string | null): void {
  try {
    if (token) localStorage.setItem(KEY, token);
    else localStorage.removeItem(KEY);
  } catch {
    // private windows may keep nothing; then it is good for this page only
  }
}
