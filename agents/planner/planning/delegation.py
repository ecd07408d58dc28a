"""Briefs that ask for work of another kind than pictures, and who does that work. Pure module.

A brief is taken for such work by what it asks for, not by the words in it: the verb that a sentence begins with and the
head of its object. "Make a video of our shop" asks for a video, "a poster for a video shop" for a poster. What is not
plainly other work is drawn.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from protocol.errors import Refused


class Delegate(NamedTuple):
    """Who does a kind of work, how the work is called, and what of it this workshop can do."""

    name: str
    work: str
    works_here: tuple[str, ...]


VIDEO = Delegate(
    "ai-video-production-master",
    "video",
    (
        "stills of its scenes, as keyframes: a brief for each",
        "a few frames of one motion: `animation`, with a motion adapter",
    ),
)
VISION = Delegate(
    "computer-vision-pipeline",
    "classifying or detecting what pictures show",
    ("pictures with a score for how well each shows its prompt: a brief",),
)
EMBEDDINGS = Delegate(
    "multimodal-embedding-generator",
    "embeddings and search by them",
    ("pictures in the look of a reference: `references` with an IP-Adapter",),
)
TRAINING = Delegate(
    "ai-ml-engineer",
    "training of models",
    ("a LoRA or checkpoint that was trained elsewhere: bottega models add FILE",),
)
INFRASTRUCTURE = Delegate(
    "devops-engineer",
    "deployment and infrastructure",
    ("this workshop on a machine that is there: bottega up",),
)
FRONTEND = Delegate(
    "frontend-developer",
    "web pages and user interfaces in code",
    ("the pictures for it: a brief for each place of the page",),
)
ART_DIRECTION = Delegate(
    "digital-artist",
    "art direction",
    ("variants to choose from: a brief with a `sweep`, or with several `style` commands",),
)

_PICTURE = (
    r"(?:pictures?|images?|photos?|photographs?|pics?|screenshots?|scans?|thumbnails?|frames?|uploads|renders"
    r"|snapshots?|artworks?|illustrations?|paintings?|drawings?|posters?|shots|slices|receipts|x-?rays?|selfies|faces"
    r"|objects)"
)
_THIS_PICTURE = rf"\b(?:my|this|these|those|our|the)\s+(?:[\w-]+\s+){{0,2}}?(?:{_PICTURE}|still)\b"
"""A picture that somebody has, not one that is to be drawn."""
_MOVES = r"(?:move|blink|talk|dance|speak|wave|walk|come to life)"
_THESE = (
    r"(?:these|those|this|that|my|our|the|all|every|each|his|her|their|them|it|both|any|\d[\d,]*|a folder of|a set of"
    r"|a batch of|some|hundreds of|thousands of)"
)
_ASKS = (
    r"(?:need|needs|want|wants|like|love|please|pls|kindly|can you|could you|would you|will you|can we|could we|can i"
    r"|could i|may i|help(?: us| me)?(?: to)?|looking for|have to|able to|someone to|somebody to|you to|it to|how"
    r" (?:do|can) (?:i|we)|let's|i'd|we'd|i|we|you|it's|there's|and|then|so|also|us|me|hi|hello|hey|just|now|to)"
)
_MAKES = (
    r"(?:make|create|generate|render|produce|build|shoot|edit|do|prepare|deliver|compose|assemble|get|have|give|see)"
)
_NOT_IN_OBJECT = (
    r"(?!(?:of|for|from|on|in|with|about|at|to|by|and|or|as|that|which|into|over|under|behind|near|beside|is|are|says"
    r"|shows|his|her|their|like|showing|holding|lying|sitting|standing|watching|filming|hair|paper|binder|bulldog|tie"
    r"|money|fishing|thread|car|horse|boat)\b)"
)
_OBJECT = (
    r"(?:(?:a|an|the|our|my|your|some|this|that|another|one|two|three|short)\s+){0,3}"
    rf"(?:{_NOT_IN_OBJECT}[\w'%:/+.-]+,?\s+){{0,6}}?"
)
_ENDS = (
    r"(?=\s*(?:$|[.,;:!?()-]|(?:of|about|from|showing|that|which|with|for|in|where|to|at|based|out|using|and|or|on|as"
    r"|featuring|please|explaining|introducing|presenting|so|because|by|over|across|into|when|we|i|until|today|around"
    r"|whose|is|are|has|have|within|via|per|would|w)\b))"
)
_OF_TIME = (
    r"(?:(?:short|long|looping|looped|promo|promotional|animated|social|4k|hd|vertical|instagram|tiktok|youtube|music"
    r"|film|movie|teaser|book|game|highlight|explainer|demo|drone|training|marketing|product|seamless|little|quick"
    r"|brief|launch|\d+[- ]?(?:s|sec|secs|seconds?|minutes?|min|frames?)|\w+[- ](?:seconds?|minutes?)(?:[- ]long)?)\s+)"
)
_VIDEO = (
    r"(?:(?:video|animation|movie)(?:\s+(?:clips?|ads?|adverts?|teasers?|tutorials?|loops?|sequences?|footage|intro"
    r"|montage|trailers?|edit|commercial|version))?s?|footage|time-?lapses?|vlogs?|screencasts?|slideshows?|animated"
    r" (?:gifs?|shorts?|explainers?|intros?|logos?|clips?|sequences?|films?)|mp4s?|b-roll|cinemagraphs?|showreels?"
    rf"|{_OF_TIME}+(?:clips?|films?|reels?|trailers?|shorts?|spots?|explainers?|documentary|loops?|stories))"
)
_MODEL = (
    r"(?:models?|loras?|checkpoints?|dreambooth|networks?|textual inversions?|embeddings?|classifiers?|u-?net"
    r"|controlnets?|gans?|sdxl|flux|stable diffusion|transformers?|encoders?|autoencoders?|vaes?|hypernetworks?"
    r"|detectors?|ip-adapters?|adapters?)"
)
_TRAINS = r"(?:train|fine-?\s?tune|re-?train|pre-?train|distill?)"
_SERVICE = (
    r"(?:kubernetes|k8s|docker|containers?|gpu|gpus|clusters?|servers?|helm|aws|gcp|azure|cloud|pipelines?"
    r"|infrastructure|autoscaling|instances?|nodes?|comfyui|automatic1111|stable diffusion|prometheus|grafana|runpod"
    r"|production|workers?|endpoints?|backend|nats|postgres(?:ql)?|monitoring|alerting|environment|service|api"
    r"|workshop|machines?|registry)"
)
_PAGE = (
    r"(?:web ?sites?|web ?pages?|landing pages?|home ?pages?|web ?apps?|web applications?|front-?ends?|react|vue"
    r"|svelte|html|css|javascript|web (?:galler(?:y|ies)|interfaces?|uis?)|browser extensions?|dashboards?(?: uis?)?"
    r"|widgets?|carousels?|galler(?:y|ies) pages?|user interfaces?|single[- ]page apps?|admin panels?|component"
    r" librar(?:y|ies)|mobile apps?|(?:\w+[- ])?(?:up|upload|contact|booking|checkout|order|search|login|settings"
    r"|prompt) (?:forms?|pages?|screens?)|signup pages?|wordpress (?:plugins?|themes?|sites?)|online shops?"
    r"|storefronts?|ui components?|modals?|dropdowns?)"
)
_DIRECTION = (
    r"(?:(?:art|artistic|creative|visual)\s+(?:direction|vision|concept|strategy|language|identity|style|tone)|brand"
    r" identity|look[- ]and[- ]feel|style ?guides?|(?:brand|visual) guidelines|design language|campaign concept"
    r"|creative brief|(?:overall|coherent|consistent) (?:aesthetic|look|style)|mood and tone|visual world)"
)


class _Signs(NamedTuple):
    """How work of a kind is asked for. `asked`: what follows a request or begins a sentence; `said`: what is such work
    wherever it is said; `terms`: words of the trade, of which two different ones tell."""

    asked: str
    said: str
    terms: str


_SIGNS: Sequence[tuple[Delegate, _Signs]] = (
    (
        VIDEO,
        _Signs(
            rf"(?:{_MAKES}\s+(?:me\s+|us\s+)?)?{_OBJECT}{_VIDEO}{_ENDS}|(?:animate|film|videotape)\s+{_THESE}\b",
            rf"\b(?:turn|convert|transform|make|stitch|cut|combine|edit|change|render"
            rf"|put)\b[^.!?]{{1,90}}?\b(?:in)?to\s+{_OBJECT}(?:{_VIDEO}|clips?|films?|reels?|movies?){_ENDS}"
            rf"|{_THIS_PICTURE}[^.!?]{{0,60}}?\b(?:make|let|have|see)\s+(?:it|him|her|them|\w+ \w+)\s+{_MOVES}\b"
            rf"|\b(?:make|let|have|see)\b[^.!?]{{0,30}}?{_THIS_PICTURE}[^.!?]{{0,30}}?\b{_MOVES}\b"
            rf"|\bbring\b[^.!?]{{0,30}}?{_THIS_PICTURE}[^.!?]{{0,30}}?\bto life\b"
            r"|\banimate\s+(?:it|them|this|that|the|my|our|these)\b",
            r"\b(?:fps|frames per second|mp4|lip[- ]sync\w*|voice-?over|soundtrack|slow motion|camera (?:pans?"
            r"|moves?)|keyframes?|video|footage|tiktok|\d+[- ]?(?:s|sec|seconds?))\b",
        ),
    ),
    (
        TRAINING,
        _Signs(
            r"(?:overfit|quanti[sz]e|prune)\s+(?:a|an|the|our|my|this|that)\b"
            rf"|{_OBJECT}(?:training|fine-?tuning)\s+(?:pipelines?|infrastructure|jobs?|scripts?|loops?"
            rf"|clusters?){_ENDS}",
            rf"\b{_TRAINS}\s+(?:me\s+|us\s+)?{_OBJECT}{_MODEL}\b|\b(?:training"
            rf"|fine-?tuning)\s+(?:of\s+)?{_OBJECT}{_MODEL}{_ENDS}|\b{_TRAINS}\s+(?:\S+\s+){{0,3}}?(?:on|with|from"
            rf"|using)\s+(?:these|those|this|my|our|the|\d+)"
            r"|\b(?:training|fine-?tuning|hyper-?parameter)\s+(?:pipelines?|infrastructure|jobs?|clusters?|scripts?"
            r"|loops?|runs?|search|sweeps?|code|stack)\b|\bteach(?:es|ing)?\s+(?:a|the|your|our|it|sdxl"
            r"|flux)\b[^.!?]{0,40}\b(?:models?|style|character|face|concept)\b|\b(?:a|our own"
            r"|custom)\s+(?:\w+\s+)?(?:checkpoint|lora|model)\s+(?:that|of our|for our|trained|which)\b",
            r"\b(?:loss|learning rate|lr|epochs?|batch size|overfit\w*|gradients?|hyper-?parameters?|optimi[sz]er"
            r"|checkpoints?|training|dreambooth|lora|fine-?tun\w+|validation set|data ?set|dataloader|augmentation"
            r"|weights|ddp|vram)\b",
        ),
    ),
    (
        ART_DIRECTION,
        _Signs(
            rf"(?:critique|judge|advise on|art direct|comment on)\b[^.!?]{{0,60}}\b(?:{_PICTURE}|portfolio|designs?"
            rf"|style"
            r"|look|feed|posts|layouts?|branding|palette|series|concepts?)\b"
            rf"|(?:act|serve|work|be)\s+(?:as|the|our|my)\b[^.!?]{{0,30}}\bdirector\b"
            rf"|(?:give\s+)?(?:\w+\s+)?feedback\s+on\b|{_OBJECT}{_DIRECTION}{_ENDS}",
            rf"\b(?:develop|define|propose|suggest|provide|write|decide|set|advise|lead|create|work out|shape"
            rf"|establish|recommend|review|build|come up with|find|need|want|give|help|choose|pick"
            rf"|on)\b[^.!?]{{0,60}}\b{_DIRECTION}{_ENDS}|\b(?:what|which)\s+(?:\w+\s+){{0,2}}?(?:style|look|aesthetic"
            rf"|palette|colou?rs?|mood|direction)\b"
            r"[^.!?]{0,30}\b(?:should|would|fits?|suits?|works?|could|do you|is right|is best)\b|\b(?:which"
            r"|what)\b[^.!?]{0,50}\b(?:strongest|best|better|weakest|most striking|works"
            r" better)\b[^.!?]{0,40}\b(?:why|style|taste)\b|\b(?:an?|your|some|any|honest|artistic"
            r"|creative)\s+(?:\w+\s+)?(?:critique|art director|creative director|artistic assessment|feedback on the"
            r" (?:style|look|composition)|eye on)\b|\b(?:artistic|creative|honest)\s+(?:assessment|opinion|judgement"
            r"|feedback|guidance|advice|critique)\b|\bjudge (?:how|whether|if|the (?:style|look))\b"
            r"|\bwhere\b[^.!?]{0,30}\bpush the style\b",
            r"\b(?:art direction|creative direction|critique|style guide|mood ?boards?|visual language|brand"
            r"|aesthetics?|consistent|taste|direction|composition|palette)\b",
        ),
    ),
    (
        EMBEDDINGS,
        _Signs(
            rf"(?:embed|vectori[sz]e|index|cluster|deduplicate)\s+(?:{_THESE}\s+){{1,2}}|(?:give\s+"
            rf"|return\s+)?(?:me\s+|us\s+)?{_OBJECT}(?:embeddings?|similarity scores?|(?:\w+-)?dimensional"
            rf" vectors?){_ENDS}",
            r"\b(?:clip|siglip|image|text|multimodal|joint|product|photo|visual)\s+embeddings?\b(?!\s+(?:art|poster))"
            r"|\bembeddings?\s+(?:for|of|from|so|and|that)\b|\b(?:into|as|to|in|onto)\s+(?:\w+\s+){0,3}(?:vectors?"
            r"|shared space|embedding space|latent space)\b|\b(?:vector|embedding|feature)\s+(?:index|database|db"
            r"|store|search|vectors?)\b|\b(?:semantic|similarity|multimodal|vector|reverse image|visual|image|natural"
            r" language)\s+search\b(?!\s+(?:page|icon|bar|box|dog|party))|\bsimilarity (?:scores?|matrix|between)\b"
            r"|\b(?:nearest|near)[- ](?:neighbou?rs?|duplicates?)\b|\b(?:find|search|look|retrieve|rank|group|compare"
            r"|show|return|match)\b[^.!?]{0,80}"
            rf"\b(?:similar|look(?:s|ing)? (?:most |a lot )?(?:like|alike)|by meaning|closest"
            rf"|resembl\w+)\b[^.!?]{{0,40}}(?:\b(?:{_PICTURE}|products?|items?|ones?|this|library|catalogue|archive"
            rf"|collection)\b)|\b(?:search|query)\s+(?:through\s+|over\s+|in\s+)?(?:my|our|the|this"
            rf"|all)\s+(?:\w+\s+){{0,3}}(?:{_PICTURE}"
            r"|library|archive|collection|catalogue|catalog)\b|\bsearchable\b|\bhow similar (?:is|are)\b|\bby"
            r" meaning\b|\b\d+-dimensional vectors?\b",
            r"\b(?:embeddings?|cosine|vectors|similarity|faiss|pgvector|clip|siglip|retrieval|dimensions|nearest"
            r"|top[- ]k)\b",
        ),
    ),
    (
        VISION,
        _Signs(
            r"(?:which|what|how many|is there|are there|does|do|is|are)\b[^.!?]{0,70}\b(?:this|these|those|my|our)\s+"
            rf"(?:[\w,]+\s+){{0,3}}{_PICTURE}\b|(?:ocr|moderate)\s+{_THESE}\b",
            rf"\b(?:classify|categori[sz]e|label|tag|annotate|sort|caption|segment|transcribe|detect|recogni[sz]e"
            rf"|identify|count|locate|track|blur)\s+(?:what|who|where|which|whether|how many|{_THESE})\b(?!\s+(?:size"
            rf"|colou?r) on)|\b(?:detect|recogni[sz]e|identify|count|locate|find|read|extract|spot|highlight|tell"
            rf"|check|flag|pick out)\b[^.!?]{{1,70}}\b(?:in|on|from|off|of|whether|if|across)\s+(?:{_THESE}|a"
            rf"|an)\s+(?:[\w,]+\s+){{0,3}}?{_PICTURE}"
            r"\b|\bbounding boxes\b|\b(?:object|face|pose|defect|logo|plate|text|anomaly|person|nudity|nsfw"
            r"|image)\s+(?:detection|recognition|classification|segmentation|tracking)\b|\bflags? (?:the|those|any"
            r"|every|all|up)\b|\b(?:image|object|picture|photo|face)\s+(?:classifiers?|detectors?)\b|\b(?:sort|split"
            r"|group) them into\b|\b(?:tell|see|say|know|report)\b[^.!?]{0,20}\b(?:which|what|whether|how"
            r" many)\b[^.!?]{0,60}\b(?:contains?|shows?|depicts?)\b|\bocr (?:over|on|for|of|all|these|the|this|my)\b"
            r"|\bmasks? for (?:each|every|all)\b|\bwhat does it say\b|\bwhat(?:'s| is) (?:in|on) (?:this|these|my|the) "
            rf"(?:\w+\s+)?{_PICTURE}\b",
            r"\b(?:as json|spreadsheet|csv|ocr|legible|defects?|cracked|count|labels?|photos?|pictures|camera"
            r"|detect\w*|classif\w+|recogni\w+|in stock|out of stock|accuracy|false positives?)\b",
        ),
    ),
    (
        INFRASTRUCTURE,
        _Signs(
            r"(?:deploy|provision|autoscale|containeri[sz]e|dockeri[sz]e|orchestrate)\s+\w+",
            rf"\b(?:deploy|provision|scale|autoscale|install|host|configure|monitor|migrate|roll out|set up|setup"
            rf"|spin up|automate|run|move|upgrade|operate|manage|put)\b[^.!?]{{0,80}}\b(?:on|to|for|with|behind"
            rf"|across|of|a|an|our|the|your|into|in front of)\s+(?:[\w-]+\s+){{0,4}}?{_SERVICE}\b(?!\s+(?:rack|room"
            rf"|poster|icon|logo))"
            r"|\bscal(?:e|es|ing) (?:up|down|out|it|to|from|the|our|with|automatically)\b[^.!?]{0,60}\b(?:gpus?"
            r"|requests?|users|pods?|nodes?|traffic|load|queue)\b",
            r"\b(?:kubernetes|k8s|docker\w*|terraform|helm|ansible|nginx|load balancers?|autoscal\w+|ci/cd|ci|tls"
            r"|certs?|gpu|gpus|instances?|aws|gcp|azure|eu-west-\d|us-east-\d|prometheus|grafana|uptime|pods?|vpc"
            r"|rollbacks?|deploy\w*|rate limit|staging|production|servers?|runpod|api|blue-green|on-call|alerts?"
            r"|cluster|downtime|requests)\b",
        ),
    ),
    (
        FRONTEND,
        _Signs(
            rf"(?:build|make|create|code|develop|implement|program|design|add|write|get|have)\s+(?:me\s+"
            rf"|us\s+)?{_OBJECT}{_PAGE}{_ENDS}",
            rf"\b(?:implement|code|develop|program|fix|debug|refactor|style)\b[^.!?]{{0,60}}\b(?:{_PAGE}|components?"
            rf"|buttons?|page|form|layout|site|app|javascript|css|html)\b|\b(?:integrate|embed|add|connect|wire|hook"
            rf"|put|plug)\w*\b[^.!?]{{1,70}}\b(?:in|into|to|on|onto)\s+(?:my|our|the|a"
            rf"|an)\s+(?:[\w']+\s+){{0,2}}{_PAGE}(?:'s)?\b|\bcode that\b|\bworking code\b"
            r"|\bin (?:react|vue|svelte|html|css|typescript|javascript|tailwind|next\.?js)\b",
            r"\b(?:javascript|typescript|css|html|react|vue|svelte|tailwind|figma|responsive|accessib\w+|components?"
            r"|safari|chrome|firefox|dark mode|keyboard navigation|web app|website|frontend|front-end|forms?"
            r"|validation|home page|button|scroll\w*|toggle|next\.?js|dropdown|page|ui|lazy[- ]load\w*)\b",
        ),
    ),
)
_BEGIN = rf"(?:^|(?<=[\s,])(?:{_ASKS})[\s,:]+)(?:{_ASKS}[\s,:]+){{0,6}}?"
_COMPILED = [
    (
        delegate,
        re.compile(rf"{_BEGIN}(?:{signs.asked})"),
        re.compile(signs.said),
        re.compile(signs.terms),
    )
    for delegate, signs in _SIGNS
]
_SENTENCES = re.compile(
    r"(?<=[.!?;:\n])\s+|\n+|,?\s+(?=(?:(?:can|could|would|will) you|please)\b)|\b(?:asks|asking|requests|requires"
    r"|calls) for\s+|,?\s+(?:and|then|but)\s+(?=(?:tell|give|return|train|deploy|classify|animate|fix)\b)"
)
_DESCRIBES = re.compile(
    r"(?:(?:hi|hello|hey|please|ok|okay|can you|could you|would you|i'd (?:like|love)|we'd (?:like|love)|give me|show"
    r" me|get me)[\s,:!]*){0,4}(?:(?:draw|paint|sketch|illustrate|photograph|picture|imagine|depict|design|make"
    r"|create|render|generate|produce)\s+(?:me\s+|us\s+)?)?(?:a|an|the|one|two|three|four|five|some|several|old|young"
    r"|close[- ]up|portrait|photo|photograph|picture|illustration|poster|icon|logo|banner|drawing|painting"
    r"|background)\b"
)
"""How a description of a picture begins: what it mentions is in the picture, and only what it begins with tells."""
_REQUESTS = re.compile(
    r"\?|\b(?:i|we|me|us|my|our|you|your|please)\b|^(?:write|set up|configure|tune|give|put|run|fix|plan)\b"
)
"""What somebody who is asked for something hears. A list of what a picture shows has none of it, whatever its words."""
MAX_READ = 2_000
"""Characters of a brief that are read for this: what it asks for stands early."""
ENOUGH_TERMS = 2


def find_delegate(brief: str) -> Delegate | None:
    """Who does what a brief asks for; null where it asks for pictures."""
    sentences = _SENTENCES.split(brief[:MAX_READ].casefold().replace("’", "'"))
    said: list[str] = []
    for sentence in sentences:
        text = sentence.strip(" \t-*\"'")
        describes = _DESCRIBES.match(text)
        for delegate, asked, anywhere, _ in _COMPILED:
            if asked.match(text) or (not describes and (asked.search(text) or anywhere.search(text))):
                return delegate
        if not describes:
            said.append(text)
    if not any(map(_REQUESTS.search, said)):
        return None
    counts = [(len(set(terms.findall(" ".join(said)))), delegate) for delegate, _, _, terms in _COMPILED]
    most, delegate = max(counts, key=lambda count: count[0])
    return delegate if most >= ENOUGH_TERMS else None


def check_own_work(brief: str | None) -> None:
    """Let a brief that asks for pictures pass.

    Raises:
        Refused: it asks for something else, with `delegate_to`.
    """
    if delegate := find_delegate(brief or ""):
        raise Refused(
            "delegate",
            f"the brief asks for {delegate.work}, and this workshop makes still pictures",
            path="$.brief",
            hint=f"hand it to {delegate.name}; if a picture is meant, give the same text in `prompts`",
            delegate_to=delegate.name,
        )


def works_here(name: str | None) -> list[str]:
    """What this workshop can do of the work of a delegate."""
    return [works for delegate, _ in _SIGNS if delegate.name == name for works in delegate.works_here]
